/** The anchors of a page, and its text section by section. */

import { Anchors, accordionSlug } from './slugs.mjs';
import { isElement, plainText, setAttribute, stringAttribute, walk } from './tree.mjs';

/** @typedef {import('./tree.mjs').Node} Node */

/**
 * @typedef {object} Section
 * @property {string} id Anchor; empty for what stands before the first heading.
 * @property {string} title
 * @property {number} level
 * @property {boolean} code Whether the heading is a name in code.
 * @property {string} text What a reader sees in it, headings and fenced code left out.
 */

const LEVELS = 4; // Mintlify gives deeper headings no anchor

/**
 * Give headings, steps, tabs and accordions their anchors and collect the text below each heading.
 *
 * @param {Node} tree
 * @param {(place: Node, message: string) => void} report Told about anchors that are the same.
 * @returns {{ ids: string[], sections: Section[] }}
 */
export function outline(tree, report) {
    const anchors = new Anchors();
    const tabs = new Anchors();
    const accordions = new Map();
    /** @type {Map<string, Node>} */
    const taken = new Map();
    /** @type {Section[]} */
    const sections = [{ id: '', title: '', level: 1, code: false, text: '' }];
    /** @type {Node[]} */
    const parts = [];
    const add = (/** @type {string} */ text) => {
        const section = sections[sections.length - 1];
        section.text += text;
    };

    const claim = (/** @type {Node} */ node, /** @type {string} */ id) => {
        const first = taken.get(id);
        if (first) report(node, `the anchor \`${id}\` is there twice, first in line ${first.position.start.line}`);
        else taken.set(id, node);
    };

    walk(tree, (node) => {
        if (node.type === 'heading') {
            const title = plainText(node).trim();
            let id = '';
            if (node.depth <= LEVELS) {
                id = anchors.heading(title);
                node.data = { ...node.data, hProperties: { ...node.data?.hProperties, id } };
                if (id) claim(node, id);
                else report(node, 'this heading has no text that could become an anchor');
            }
            const code = node.children[0]?.type === 'inlineCode' && node.children[0].value === title;
            sections.push({ id, title, level: node.depth, code, text: '' });
            return false;
        }
        if (node.data?.hProperties?.className?.includes('kind')) return false; // a mark, not text
        if (node.type === 'text' || node.type === 'inlineCode') add(node.value);
        else if (!['emphasis', 'strong', 'delete', 'link', 'mdxJsxTextElement', 'linkReference'].includes(node.type))
            add(' ');
        if (isElement(node) && node.name) {
            const title = stringAttribute(node, 'title');
            if (title) add(` ${title} `);
            if (['Tab', 'Accordion', 'Step'].includes(node.name)) parts.push(node);
            else if (stringAttribute(node, 'id')) claim(node, stringAttribute(node, 'id') ?? '');
        }
        return undefined;
    });

    for (const node of parts) {
        const title = stringAttribute(node, 'title') ?? '';
        let id = stringAttribute(node, 'id');
        if (id === undefined && node.name === 'Accordion') {
            const slug = accordionSlug(title);
            const count = accordions.get(slug) ?? 0;
            accordions.set(slug, count + 1);
            id = count > 0 ? `${slug}-${count}` : slug;
        } else if (id === undefined) {
            id = (node.name === 'Tab' ? tabs : anchors).heading(title);
        }
        // Mintlify counts these apart from headings; where both have one name, a link leads to the first on the page.
        if (id && !taken.has(id)) {
            taken.set(id, node);
            setAttribute(node, 'id', id);
        } else {
            node.attributes = node.attributes.filter((/** @type {Node} */ a) => a.name !== 'id');
        }
    }

    for (const section of sections) section.text = section.text.replace(/\s+/g, ' ').trim();
    return { ids: [...taken.keys()], sections: sections.filter((section) => section.title || section.text) };
}
