/** The search index: one document for each page and each of its sections. */

import MiniSearch from 'minisearch';

import { OPTIONS } from './assets/search.js';

const EXCERPT = 180;

/**
 * @param {{ page: import('./pages.mjs').Page, title: string, crumbs: string[],
 *   sections: import('./outline.mjs').Section[] }[]} pages
 * @returns {string} JSON
 */
export function searchIndex(pages) {
    const index = new MiniSearch(OPTIONS);
    let number = 0;
    const add = (/** @type {object} */ entry) => {
        index.add({ id: number, ...entry });
        number += 1;
    };
    for (const { page, title, crumbs, sections } of pages) {
        const isTop = (/** @type {import('./outline.mjs').Section} */ { id, level }) => id === '' || level === 1;
        const opening = sections
            .filter(isTop)
            .map(({ text }) => text)
            .join(' ');
        const { description = '', keywords = '' } = page.front;
        add({
            url: page.href,
            symbol: '',
            title,
            page: title,
            crumb: crumbs.join(' › '),
            text: `${description} ${keywords} ${page.url.split('/').at(-1)} ${opening}`,
            excerpt: excerpt(description || opening),
            level: 1,
        });
        let around = '';
        for (const section of sections.filter((candidate) => !isTop(candidate))) {
            // In the reference a method stands below its class.
            if (section.level === 3) around = section.code ? section.title : '';
            const owner = section.level === 4 && section.code ? around : '';
            add({
                url: `${page.href}#${encodeURIComponent(section.id)}`,
                symbol: section.code ? [owner, section.title].filter(Boolean).join('.') : '',
                title: section.title,
                page: title,
                crumb: [...crumbs, title, owner].filter(Boolean).join(' › '),
                text: section.text,
                excerpt: excerpt(section.text),
                level: section.level,
            });
        }
    }
    return JSON.stringify(index);
}

/** @param {unknown} text */
function excerpt(text) {
    const whole = String(text);
    return whole.length > EXCERPT ? `${whole.slice(0, whole.lastIndexOf(' ', EXCERPT))} …` : whole;
}
