/** `<Accordion>`, `<Steps>`, `<Tabs>` and `<CodeGroup>`: a page in parts. */

import { h, toChildArray } from 'preact';

import { optionalIcon } from './icon.mjs';

/** @param {any} props */
export function Accordion({ title, description, icon, iconType, defaultOpen, id, children }) {
    const open = defaultOpen === true || defaultOpen === 'true';
    return h(
        'details',
        { class: 'accordion', id, open },
        h(
            'summary',
            null,
            optionalIcon({ icon, iconType }),
            h('span', { class: 'accordion-title' }, title, description && h('small', null, description)),
        ),
        h('div', { class: 'accordion-body' }, children),
    );
}

/** @param {any} props */
export function AccordionGroup({ children }) {
    return h('div', { class: 'accordions' }, children);
}

/** @param {any} props */
export function Steps({ children }) {
    return h('ol', { class: 'steps' }, children);
}

/** @param {any} props */
export function Step({ title, icon, iconType, stepNumber, id, children }) {
    const number = stepNumber === undefined ? undefined : { value: Number(stepNumber) };
    return h(
        'li',
        { class: `step${icon ? ' step-with-icon' : ''}`, id, ...number },
        icon && h('span', { class: 'step-icon' }, optionalIcon({ icon, iconType })),
        h('p', { class: 'step-title' }, title),
        h('div', { class: 'step-body' }, children),
    );
}

/**
 * Tabs over panels, after the WAI-ARIA pattern; the browser's part is in assets/client.js.
 *
 * @param {string} uid Unique on the page.
 * @param {string} kind Class.
 * @param {string} label What screen readers call the list.
 * @param {{ id?: string, title: any, icon?: any, content: any }[]} panels
 */
function tabbed(uid, kind, label, panels) {
    return h(
        'div',
        { class: kind, 'data-tabs': '' },
        h(
            'div',
            { class: 'tab-list', role: 'tablist', 'aria-label': label },
            panels.map(({ title, icon }, number) =>
                h(
                    'button',
                    {
                        type: 'button',
                        role: 'tab',
                        id: `${uid}-tab-${number + 1}`,
                        'aria-controls': `${uid}-panel-${number + 1}`,
                        'aria-selected': number === 0 ? 'true' : 'false',
                        tabindex: number === 0 ? 0 : -1,
                    },
                    icon,
                    title,
                ),
            ),
        ),
        panels.map(({ id, content }, number) =>
            h(
                'div',
                {
                    class: 'tab-panel',
                    role: 'tabpanel',
                    id: `${uid}-panel-${number + 1}`,
                    'aria-labelledby': `${uid}-tab-${number + 1}`,
                    tabindex: 0,
                    hidden: number > 0,
                },
                id && h('span', { id, class: 'target' }),
                content,
            ),
        ),
    );
}

/** Only ever read by `Tabs`, which shows its content. */
export function Tab(/** @type {any} */ { children }) {
    return h('div', null, children);
}

/** @param {any} props */
export function Tabs({ uid, children }) {
    const panels = toChildArray(children)
        .filter((child) => typeof child === 'object')
        .map((/** @type {any} */ { props }) => ({
            id: props.id,
            title: props.title,
            icon: optionalIcon(props),
            content: props.children,
        }));
    return tabbed(uid, 'tabs', 'Choose one', panels);
}

/**
 * The place of a fence, which the layout fills.
 *
 * @param {any} props
 */
export function CodeBlock({ number }) {
    return h('pre', { 'data-fence': number });
}

/** @param {any} props */
export function CodeGroup({ uid, children }) {
    const blocks = toChildArray(children).filter((/** @type {any} */ child) => child?.type === CodeBlock);
    const panels = blocks.map((/** @type {any} */ block) => ({
        title: block.props.title || block.props.lang || 'Code',
        content: block,
    }));
    return tabbed(uid, 'code-group', 'Choose a version of the code', panels);
}
