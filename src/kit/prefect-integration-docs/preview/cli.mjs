#!/usr/bin/env node
/** Entry of the preview; `scripts/site.py` calls it. */

import module from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// Compiled code is kept beside the packages, which halves the time to start. Node 20 does not have it.
module.enableCompileCache?.(path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules', '.cache', 'code'));

const { run } = await import('./commands.mjs');
const { UsageError } = await import('./problems.mjs');

try {
    process.exitCode = await run(process.argv.slice(2));
} catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
}
