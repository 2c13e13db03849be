/** Rendered pages on disk, so that a page that has not changed is not rendered again. */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FOLDER = path.join(HERE, 'node_modules', '.cache', 'pages');
const KEPT_MS = 14 * 24 * 60 * 60 * 1000;

/** What the program is made of: a change in any of it may change every page. */
function ownVersion() {
    const hash = createHash('sha256').update(process.version);
    const sources = [HERE, path.join(HERE, 'components')].flatMap((folder) =>
        readdirSync(folder)
            .filter((name) => name.endsWith('.mjs') || name === 'package-lock.json')
            .sort()
            .map((name) => path.join(folder, name)),
    );
    for (const file of sources) hash.update(path.basename(file)).update(readFileSync(file));
    return hash.digest('hex');
}

/** @type {string | undefined} */
let version;

/**
 * Take a value from the cache, or make it and keep it. A cache that cannot be read or written is done without.
 *
 * @template T
 * @param {string} key All that the value depends on, besides the program itself.
 * @param {() => T} make Its value must survive JSON.
 * @returns {T}
 */
export function cached(key, make) {
    version ??= ownVersion();
    const file = path.join(
        FOLDER,
        `${createHash('sha256').update(version).update('\0').update(key).digest('hex')}.json`,
    );
    try {
        const value = JSON.parse(readFileSync(file, 'utf8'));
        utimesSync(file, new Date(), new Date());
        return value;
    } catch {
        // Not there, or cut short by a full disk: made anew.
    }
    const value = make();
    try {
        mkdirSync(FOLDER, { recursive: true });
        const whole = `${file}.${process.pid}`;
        writeFileSync(whole, JSON.stringify(value));
        renameSync(whole, file); // another process never reads half a file
    } catch {
        // The folder may be read-only.
    }
    return value;
}

/** Remove what no run has asked for in the last two weeks. */
export function prune() {
    try {
        for (const name of readdirSync(FOLDER)) {
            const file = path.join(FOLDER, name);
            if (Date.now() - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { force: true });
        }
    } catch {
        // There is no cache, or another process prunes it too.
    }
}
