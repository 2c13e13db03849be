/** Markdown's own elements, where they need more than their tag: headings with an anchor, tables that scroll. */

import { h } from 'preact';

/** @param {'h1' | 'h2' | 'h3' | 'h4'} tag */
function heading(tag) {
    return (/** @type {any} */ { id, children, ...rest }) =>
        h(
            tag,
            { id, ...rest },
            children,
            id &&
                h(
                    'a',
                    { class: 'anchor', href: `#${encodeURIComponent(id)}`, 'aria-label': 'Link to this section' },
                    '#',
                ),
        );
}

export const h1 = heading('h1');
export const h2 = heading('h2');
export const h3 = heading('h3');
export const h4 = heading('h4');

/** @param {any} props */
export function table(props) {
    return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' }, h('table', props));
}

/** @param {any} props */
export function a({ href = '', ...rest }) {
    return /^https?:/.test(href) ? h('a', { href, rel: 'noopener noreferrer', ...rest }) : h('a', { href, ...rest });
}

/** @param {any} props */
export function img(props) {
    return h('img', { loading: 'lazy', ...props });
}
