/** Fenced code: its language and title, and how it is shown. */

import { walk } from './tree.mjs';

/** @typedef {import('./tree.mjs').Node} Node */

/**
 * @typedef {object} Fence
 * @property {string} lang
 * @property {string} title
 * @property {string} code
 * @property {number} line
 * @property {number} lastLine
 * @property {boolean} isSignature Whether it stands for a function or method in the reference.
 */

/**
 * Read the title from what follows the language: words up to the first option, or `title="…"`.
 *
 * @param {string} meta
 */
export function fenceTitle(meta) {
    const named = /\btitle=(?:"([^"]*)"|'([^']*)')/.exec(meta);
    if (named) return named[1] ?? named[2];
    const words = [];
    for (const word of meta.trim().split(/\s+/)) {
        if (/^[{[]|=|^(?:lines|wrap|expandable)$/.test(word)) break;
        words.push(word);
    }
    return words.join(' ');
}

/**
 * Put a numbered mark in the place of each fence, which the layout fills, and return the fences.
 *
 * @param {Node} tree
 * @returns {Fence[]}
 */
export function takeFences(tree) {
    /** @type {Fence[]} */
    const fences = [];
    let groups = 0;
    walk(tree, (node, parent) => {
        if (node.type === 'code') {
            const title = fenceTitle(node.meta ?? '');
            const lang = (node.lang ?? '').toLowerCase();
            fences.push({
                lang,
                title,
                code: node.value,
                line: node.position.start.line,
                lastLine: node.position.end.line,
                isSignature: node.data?.isSignature === true,
            });
            parent.children[parent.children.indexOf(node)] = {
                type: 'mdxJsxFlowElement',
                name: 'CodeBlock',
                attributes: [
                    attribute('number', String(fences.length - 1)),
                    attribute('title', title),
                    attribute('lang', lang),
                ],
                children: [],
                position: node.position,
            };
        } else if (node.name === 'CodeGroup' || node.name === 'Tabs') {
            groups += 1;
            node.attributes.push(attribute('uid', `group-${groups}`));
        }
    });
    return fences;
}

/**
 * @param {string} name
 * @param {string} value
 */
function attribute(name, value) {
    return { type: 'mdxJsxAttribute', name, value };
}
