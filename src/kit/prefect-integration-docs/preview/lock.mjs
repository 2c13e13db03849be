/**
 * Take the addresses out of package-lock.json, so that it holds for every registry: `npm run lock` calls this after npm
 * has written the file. npm has an option for `resolved`, none for `funding`.
 */

import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
for (const entry of Object.values(lock.packages)) {
    delete entry.funding;
    delete entry.resolved;
}
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
