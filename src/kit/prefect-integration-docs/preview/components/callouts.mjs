/** `<Note>`, `<Tip>`, `<Info>` and `<Warning>`. */

import { h } from 'preact';

import { Icon } from './icon.mjs';

/**
 * @param {string} name
 * @param {string} icon
 */
function callout(name, icon) {
    return (/** @type {any} */ { children }) =>
        h(
            'div',
            { class: `callout callout-${name.toLowerCase()}`, role: 'note', 'aria-label': name },
            h(Icon, { icon }),
            h('div', { class: 'callout-body' }, children),
        );
}

export const Note = callout('Note', 'circle-info');
export const Tip = callout('Tip', 'lightbulb');
export const Info = callout('Info', 'circle-info');
export const Warning = callout('Warning', 'triangle-exclamation');
