/** The links of a page: what they lead to, and whether it is there. */

import path from 'node:path';

import { isElement, walk } from './tree.mjs';

/** @typedef {import('./tree.mjs').Node} Node */

/**
 * @typedef {object} Link
 * @property {string} target As it is written.
 * @property {number} line
 */

const OUTSIDE = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/**
 * Say whether a link leads to another site, or starts another program.
 *
 * @param {string} target
 */
export function isOutside(target) {
    return OUTSIDE.test(target);
}

/**
 * Write a link as the site serves it: from its root, without `.mdx` and `index`.
 *
 * @param {string} target
 * @param {string} url Page that the link is on.
 */
export function resolve(target, url) {
    if (isOutside(target) || target.startsWith('#') || target === '') return target;
    const [, where, rest] = /** @type {RegExpExecArray} */ (/^([^?#]*)(.*)$/s.exec(target));
    const absolute = where === '' ? '' : path.posix.resolve('/', path.posix.dirname(url), where);
    return absolute.replace(/\.mdx$/, '').replace(/\/index$/, '/') + rest;
}

/**
 * Collect the links of a page and rewrite them for the site.
 *
 * @param {Node} tree
 * @param {string} url Page that they are on.
 * @returns {Link[]}
 */
export function collectLinks(tree, url) {
    /** @type {Link[]} */
    const links = [];
    const add = (/** @type {string} */ target, /** @type {Node} */ place) => {
        links.push({ target, line: place.position?.start.line ?? 1 });
        return resolve(target, url);
    };
    walk(tree, (node) => {
        if (node.type === 'link' || node.type === 'image' || node.type === 'definition') {
            node.url = add(node.url, node);
        } else if (isElement(node)) {
            for (const attribute of node.attributes) {
                const { name, value } = attribute;
                if (typeof value !== 'string') continue;
                const isFile = name === 'src' || name === 'img' || (name === 'icon' && value.startsWith('/'));
                if (name === 'href' || isFile) attribute.value = add(value, attribute.position ? attribute : node);
            }
        }
    });
    return links;
}

/**
 * @typedef {object} Targets What links may lead to.
 * @property {Map<string, { url: string, ids: Set<string> | undefined }>} pages By address, with and without `index`;
 *   `ids` is missing for a page that could not be read.
 * @property {Set<string>} files Other files of the site.
 * @property {Map<string, string>} redirects Destinations by source.
 */

/**
 * Find out what is wrong with a link.
 *
 * @param {string} target
 * @param {string} url Page that it is on.
 * @param {Targets} targets
 * @returns {string | undefined}
 */
export function linkProblem(target, url, targets) {
    const said = `link to ${target || '""'}`;
    if (/^(?:javascript|vbscript):/i.test(target)) return `${said}: a link holds no script`;
    if (isOutside(target)) return undefined;
    if (target === '') return `${said}: it leads nowhere`;
    const [, where, fragment] = /** @type {RegExpExecArray} */ (/^([^?#]*)(?:\?[^#]*)?(?:#(.*))?$/s.exec(target));
    let place = `/${url}`;
    if (where !== '') {
        const folder = path.posix.dirname(url);
        if (!where.startsWith('/') && path.posix.join(folder, where).startsWith('..')) {
            return `${said}: leads out of the site; a file of the repository needs its full address`;
        }
        place = decode(path.posix.resolve('/', folder, where));
    }
    const found = targets.pages.get(place.replace(/\.mdx$/, ''));
    if (found === undefined) {
        if (targets.files.has(place.slice(1))) return undefined;
        const moved = targets.redirects.get(place);
        if (moved) return `${said}: that page has moved; link to ${moved}`;
        const hint = /^\/v3\/(?!examples\/)/.test(where)
            ? '; pages that are not in this repository need their full address'
            : '';
        const noun = /\.[a-z0-9]+$/i.test(where) && !where.endsWith('.mdx') ? 'file' : 'page';
        return `${said}: there is no such ${noun}${hint}`;
    }
    if (fragment && found.ids && !found.ids.has(decode(fragment))) {
        return `${said}: the page has no such heading or anchor${suggestion(decode(fragment), found.ids)}`;
    }
    return undefined;
}

/** @param {string} text */
function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/**
 * Name an anchor that differs in case or punctuation only.
 *
 * @param {string} fragment
 * @param {Set<string>} ids
 */
function suggestion(fragment, ids) {
    const bare = (/** @type {string} */ id) => id.toLowerCase().replace(/[^a-z0-9]/g, '');
    const close = [...ids].find((id) => bare(id) === bare(fragment));
    return close ? `; did you mean #${close}?` : '';
}
