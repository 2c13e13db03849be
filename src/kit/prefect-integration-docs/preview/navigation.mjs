/** The navigation of docs.json: as a tree for the layout, and as a list to compare with the files. */

import { showPath } from './config.mjs';

/** @typedef {import('./problems.mjs').Problem} Problem */
/** @typedef {import('./config.mjs').JsonPath} JsonPath */

/**
 * @typedef {object} Group
 * @property {string} title
 * @property {string} [icon]
 * @property {string} [tag]
 * @property {boolean} expanded
 * @property {(string | Group)[]} items Pages, by what docs.json calls them, and groups.
 */

/**
 * @typedef {object} Tab
 * @property {string} title
 * @property {string} [icon]
 * @property {string} [href] Where it leads when it holds no pages.
 * @property {(string | Group)[]} items
 */

/** Keys that hold further navigation, in the order in which they are shown. */
const DIVISIONS = ['languages', 'versions', 'products', 'dropdowns', 'tabs', 'anchors', 'menu'];
/** Keys that hold a title. A group may also carry an `anchor`, which is not its title, so `group` comes first. */
const TITLES = ['group', 'tab', 'anchor', 'dropdown', 'version', 'product', 'language', 'item'];

/** @param {any} node */
function titleOf(node) {
    const key = TITLES.find((name) => typeof node[name] === 'string');
    return key === undefined ? '' : node[key];
}

/** @param {string} name */
function pageName(name) {
    return name.replace(/^\/|\/$/g, '');
}

/**
 * @param {any} node
 * @returns {(string | Group)[]}
 */
function itemsOf(node) {
    const listed = [...list(node.pages), ...list(node.groups)];
    const inner = DIVISIONS.flatMap((key) => list(node[key]));
    const root = typeof node.root === 'string' ? [node.root] : [];
    return [...root, ...listed, ...inner].flatMap((/** @type {any} */ item) => {
        if (typeof item === 'string') return /** @type {(string | Group)[]} */ ([pageName(item)]);
        if (typeof item !== 'object' || item === null || item.hidden === true) return [];
        const { tag, expanded } = item;
        return [
            { title: titleOf(item), icon: iconName(item.icon), tag, expanded: expanded === true, items: itemsOf(item) },
        ];
    });
}

/** @param {unknown} value */
function list(value) {
    return Array.isArray(value) ? value : [];
}

/** @param {any} icon */
function iconName(icon) {
    return typeof icon === 'string' ? icon : icon?.name;
}

/**
 * @param {any} navigation The part of docs.json.
 * @returns {Tab[]}
 */
export function readTabs(navigation) {
    const division = DIVISIONS.find((key) => Array.isArray(navigation?.[key]));
    if (division === undefined) return [{ title: '', items: itemsOf(navigation ?? {}) }];
    return navigation[division]
        .filter((/** @type {any} */ tab) => tab && typeof tab === 'object' && tab.hidden !== true)
        .map((/** @type {any} */ tab) => ({
            title: titleOf(tab),
            icon: iconName(tab.icon),
            href: tab.href,
            items: itemsOf(tab),
        }));
}

/**
 * List the pages of a part of the tree, in the order in which they are read.
 *
 * @param {(string | Group)[]} items
 * @returns {string[]}
 */
export function pagesOf(items) {
    return items.flatMap((item) => (typeof item === 'string' ? [item] : pagesOf(item.items)));
}

/**
 * Every entry that names a page, with its place; nothing is left out, hidden parts included.
 *
 * @param {any} node
 * @param {JsonPath} at
 * @returns {Generator<{ name: string, at: JsonPath }>}
 */
export function* entries(node, at = ['navigation']) {
    if (typeof node !== 'object' || node === null) return;
    if (typeof node.root === 'string') yield { name: pageName(node.root), at: [...at, 'root'] };
    for (const [n, item] of list(node.pages).entries()) {
        const place = [...at, 'pages', n];
        if (typeof item === 'string') yield { name: pageName(item), at: place };
        else yield* entries(item, place);
    }
    for (const key of ['groups', ...DIVISIONS]) {
        for (const [n, item] of list(node[key]).entries()) yield* entries(item, [...at, key, n]);
    }
}

/**
 * Find entries without a page, entries that stand twice, and pages without an entry.
 *
 * @param {import('./config.mjs').Config} config
 * @param {import('./pages.mjs').Page[]} pages
 * @returns {Problem[]}
 */
export function checkNavigation(config, pages) {
    /** @type {Problem[]} */
    const problems = [];
    const files = new Set(pages.map(({ url }) => url));
    /** @type {Map<string, JsonPath>} */
    const listed = new Map();
    for (const { name, at } of entries(config.value.navigation)) {
        const report = (/** @type {string} */ message) =>
            problems.push({ path: config.path, line: config.line(at), message: `${showPath(at)}: ${message}` });
        const first = listed.get(name);
        if (first) {
            report(`the navigation names ${name} twice, first in line ${config.line(first)}; remove one entry`);
            continue;
        }
        listed.set(name, at);
        if (files.has(name)) continue;
        const near = [`${name}/index`, name.replace(/\.mdx?$/, '')].find((candidate) => files.has(candidate));
        const remedy = near ? `did you mean ${near}?` : 'remove it or write the page';
        report(`the navigation names ${name}, which is no page; ${remedy}`);
    }
    // Without a readable docs.json every page would lack its entry, which says nothing new.
    if (config.value.navigation === undefined) return problems;
    for (const page of pages) {
        if (listed.has(page.url) || page.front.hidden === true || page.problems.length > 0) continue;
        problems.push({
            path: page.path,
            line: 1,
            message: `no entry in docs.json; add one, or \`hidden: true\` in the front matter`,
        });
    }
    return problems;
}
