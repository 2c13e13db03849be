/** The commands of the preview. What only some of them need is loaded by those. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { UsageError, format } from './problems.mjs';

const USAGE = `usage:
  check --docs DIR [--json FILE]   render and check every page; exit 1 when something is wrong
  build --docs DIR --out DIR       write the static site
  serve --docs DIR [--port N]      build, serve on the loopback, and rebuild what changes
  anchors                          read lists of headings as JSON, write the anchors that they get`;

const OPTIONS = /** @type {const} */ ({
    docs: { type: 'string' },
    json: { type: 'string' },
    out: { type: 'string' },
    port: { type: 'string' },
});

/** @param {import('./problems.mjs').Problem[]} problems */
function print(problems) {
    for (const problem of problems) console.log(format(problem));
}

/**
 * @param {number} count
 * @param {string} noun
 */
function counted(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** @param {Record<string, string | undefined>} options */
async function check({ docs, json }) {
    const { Site } = await import('./site.mjs');
    const site = new Site(required(docs, '--docs'));
    site.load();
    const problems = site.check();
    print(problems);
    if (json) writeFileSync(json, `${JSON.stringify({ pages: site.pages.length, problems }, null, 2)}\n`);
    console.log(`site: ${counted(site.pages.length, 'page')}, ${counted(problems.length, 'problem')}`);
    return problems.length > 0 ? 1 : 0;
}

/** @param {Record<string, string | undefined>} options */
async function build({ docs, out }) {
    const { Builder, Site } = await import('./site.mjs');
    const site = new Site(required(docs, '--docs'));
    const builder = new Builder(site, required(out, '--out'));
    builder.clear();
    await builder.write(site.load());
    builder.writeSearch();
    const problems = [...site.config.problems, ...site.pageProblems()];
    print(problems);
    console.log(`site: ${counted(site.pages.length, 'page')} in ${out}, ${counted(problems.length, 'problem')}`);
    return problems.length > 0 ? 1 : 0;
}

/** @param {Record<string, string | undefined>} options */
async function serve({ docs, port = '0' }) {
    const { Builder, Site } = await import('./site.mjs');
    const { Server, watchFolder } = await import('./server.mjs');
    const wanted = Number(port);
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65535) {
        throw new UsageError(`--port ${port}: a port is a number from 0 to 65535; 0 takes a free one`);
    }
    const site = new Site(required(docs, '--docs'));
    const folder = mkdtempSync(path.join(tmpdir(), 'site-'));
    try {
        const builder = new Builder(site, folder, true);
        await builder.write(site.load());
        print(site.check());
        let isSearchStale = true;
        const server = new Server(folder, (name) => {
            if (name !== '/search.json' || !isSearchStale) return;
            builder.writeSearch();
            isSearchStale = false;
        });
        const taken = await server.listen(wanted);
        if (wanted !== 0 && taken !== wanted) console.log(`port ${wanted} is taken`);
        console.log(`site: http://127.0.0.1:${taken}/`);
        const stopWatching = watchFolder(site.docs, async () => {
            try {
                const changed = site.load();
                await builder.write(changed);
                isSearchStale = true;
                const problems = site.check();
                print(problems);
                const count = `${counted(changed.size, 'page')} changed, ${counted(problems.length, 'problem')}`;
                console.log(`site: built again, ${count}`);
                server.changed();
            } catch (error) {
                console.error(`site: ${error instanceof Error ? error.message : error}`); // a file may be gone half-way
            }
        });
        await new Promise((resolve) => {
            // Not `once`: a terminal and the calling program may both send one; the second must not cut the end short.
            for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, resolve);
        });
        stopWatching();
        server.close();
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
    return 0;
}

async function anchors() {
    const { Anchors } = await import('./slugs.mjs');
    const lists = JSON.parse(readFileSync(0, 'utf8'));
    const made = lists.map((/** @type {string[]} */ headings) => {
        const page = new Anchors();
        return headings.map((heading) => page.heading(heading));
    });
    console.log(JSON.stringify(made));
    return 0;
}

/**
 * @param {string | undefined} value
 * @param {string} option
 */
function required(value, option) {
    if (!value) throw new UsageError(`${option} is missing\n${USAGE}`);
    return value;
}

const COMMANDS = /** @type {Record<string, (options: any) => Promise<number>>} */ ({ check, build, serve, anchors });

/**
 * @param {string[]} words
 * @returns {Promise<number>} Exit status.
 */
export async function run([command, ...rest]) {
    if (!Object.hasOwn(COMMANDS, command ?? '')) throw new UsageError(USAGE);
    let options;
    try {
        options = parseArgs({ args: rest, options: OPTIONS }).values;
    } catch (error) {
        throw new UsageError(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    }
    return COMMANDS[command](options);
}
