/** `<Icon>`, and the icon that other components carry. */

import { h } from 'preact';

import { drawIcon, isIconStyle } from '../icons.mjs';

/** @param {string} text */
function escape(text) {
    return text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
}

/**
 * @param {unknown} style A string or an object, as in JSX.
 * @returns {string} CSS
 */
function css(style) {
    if (typeof style === 'string') return style;
    return Object.entries(style ?? {})
        .map(([name, value]) => `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${length(value)}`)
        .join('; ');
}

/** @param {unknown} value */
function length(value) {
    return typeof value === 'number' || /^\d+$/.test(String(value)) ? `${value}px` : String(value);
}

/**
 * @param {{ icon: string, iconType?: string, style?: unknown, size?: number | string, color?: string,
 *   className?: string }} props
 */
export function Icon({ icon, iconType, style, size, color, className }) {
    const kind = iconType ?? (typeof style === 'string' && isIconStyle(style) ? style : undefined);
    const rules = [
        size === undefined ? '' : `width: ${length(size)}; height: ${length(size)}`,
        color === undefined ? '' : `color: ${color}`,
        kind === style ? '' : css(style).replace(/;\s*$/, ''),
    ].filter(Boolean);
    const attribute = rules.length > 0 ? ` style="${escape(rules.join('; '))}"` : '';
    const html = icon.startsWith('/')
        ? `<img class="icon" src="${escape(icon)}" alt=""${attribute}>`
        : drawIcon(icon, kind, attribute);
    return h('span', {
        class: className ? `icon-box ${className}` : 'icon-box',
        dangerouslySetInnerHTML: { __html: html },
    });
}

/**
 * The icon of another component, when it has one.
 *
 * @param {{ icon?: string, iconType?: string, color?: string }} props
 */
export function optionalIcon({ icon, iconType, color }) {
    return icon ? h(Icon, { icon, iconType, color }) : null;
}
