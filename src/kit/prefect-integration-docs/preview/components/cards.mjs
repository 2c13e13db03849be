/** `<Card>`, `<CardGroup>` and `<Frame>`. */

import { h } from 'preact';

import { isOutside } from '../links.mjs';
import { optionalIcon } from './icon.mjs';

/** @param {any} props */
export function Card({ title, icon, iconType, color, href, img, cta, horizontal, children }) {
    const rel = href && isOutside(href) ? 'noopener noreferrer' : undefined;
    // The link is the title alone, stretched over the card: the text may hold links of its own.
    const name = href ? h('a', { href, rel, class: 'card-link' }, title) : title;
    return h(
        'div',
        { class: `card${horizontal ? ' card-horizontal' : ''}` },
        img && h('img', { src: img, alt: '', class: 'card-image', loading: 'lazy' }),
        optionalIcon({ icon, iconType, color }),
        h(
            'div',
            { class: 'card-text' },
            h('div', { class: 'card-title' }, name),
            children && h('div', { class: 'card-body' }, children),
            cta && h('div', { class: 'card-cta', 'aria-hidden': 'true' }, cta),
        ),
    );
}

/** @param {any} props */
export function CardGroup({ cols = 2, children }) {
    const columns = Math.min(4, Math.max(1, Number(cols) || 2));
    return h('div', { class: `cards cards-${columns}` }, children);
}

/** @param {any} props */
export function Frame({ caption, hint, children }) {
    return h(
        'figure',
        { class: 'frame' },
        hint && h('div', { class: 'frame-hint' }, hint),
        h('div', { class: 'frame-content' }, children),
        caption && h('figcaption', null, caption),
    );
}
