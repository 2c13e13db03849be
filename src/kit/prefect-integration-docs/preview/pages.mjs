/** The pages of a site: which there are, their addresses, their front matter. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { LineCounter, parseDocument } from 'yaml';

import { compare } from './problems.mjs';

/**
 * @typedef {object} Page
 * @property {string} path File, relative to the folder above `docs`.
 * @property {string} url Path from `docs` without extension: what docs.json calls the page.
 * @property {string} href Address on the site: `/integrations/prefect-aws` for `…/prefect-aws/index`.
 * @property {Record<string, any>} front
 * @property {string} body The file with its front matter blanked out, so that lines keep their numbers.
 * @property {import('./problems.mjs').Problem[]} problems What is wrong with the front matter.
 */

/**
 * List every file below a folder, sorted, with slashes; names that start with a dot are left out.
 *
 * @param {string} folder
 * @returns {string[]}
 */
export function listFiles(folder) {
    /** @type {string[]} */
    const files = [];
    const visit = (/** @type {string} */ name) => {
        for (const entry of readdirSync(path.join(folder, name), { withFileTypes: true })) {
            if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
            const below = name ? `${name}/${entry.name}` : entry.name;
            if (entry.isDirectory()) visit(below);
            else files.push(below);
        }
    };
    visit('');
    return files.sort(compare);
}

/**
 * The one address of a page: without `index` at its end.
 *
 * @param {string} url
 */
export function hrefOf(url) {
    return `/${url.replace(/(^|\/)index$/, '')}`;
}

/**
 * @param {string} docs Folder of the site.
 * @param {string} file Path of the page below it.
 * @returns {Page}
 */
export function readPage(docs, file) {
    const url = file.replace(/\.mdx$/, '');
    const text = readFileSync(path.join(docs, file), 'utf8').replace(/^\uFEFF/, '');
    /** @type {Page} */
    const page = {
        path: `${path.basename(docs)}/${file}`,
        url,
        href: hrefOf(url),
        front: {},
        body: text,
        problems: [],
    };
    const lines = text.split('\n');
    if (lines[0].trim() !== '---') return page;
    const end = lines.findIndex((line, number) => number > 0 && line.trim() === '---');
    if (end < 0) {
        page.problems.push({ path: page.path, line: 1, message: 'the front matter has no closing `---`' });
        page.body = '';
        return page;
    }
    page.body = '\n'.repeat(end + 1) + lines.slice(end + 1).join('\n');
    page.front = readFront(page, lines.slice(1, end).join('\n'));
    return page;
}

/**
 * @param {Page} page Gets a problem for each error.
 * @param {string} source
 * @returns {Record<string, any>}
 */
function readFront(page, source) {
    const counter = new LineCounter();
    const document = parseDocument(source, { lineCounter: counter, prettyErrors: false });
    for (const error of document.errors) {
        const line = counter.linePos(error.pos[0]).line + 1;
        page.problems.push({ path: page.path, line, message: `the front matter is not valid YAML: ${error.message}` });
    }
    if (document.errors.length > 0) return {};
    const front = document.toJS() ?? {};
    if (typeof front !== 'object' || Array.isArray(front)) {
        page.problems.push({ path: page.path, line: 2, message: 'the front matter is no list of `key: value`' });
        return {};
    }
    return front;
}

/**
 * What the navigation calls a page.
 *
 * @param {Page} page
 * @returns {string}
 */
export function shortTitle(page) {
    return String(page.front.sidebarTitle ?? page.front.title ?? page.url.split('/').at(-1));
}
