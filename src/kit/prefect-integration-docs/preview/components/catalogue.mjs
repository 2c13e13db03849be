/** Which components and elements a page may use, and what they take. */

/**
 * Attributes of each component: true when it is required. They are those of Mintlify; what only the hosted site can
 * show is accepted and ignored.
 *
 * @type {Record<string, Record<string, boolean>>}
 */
export const COMPONENTS = {
    Accordion: { title: true, icon: false, iconType: false, defaultOpen: false, description: false, id: false },
    AccordionGroup: {},
    Card: {
        title: true,
        icon: false,
        iconType: false,
        href: false,
        horizontal: false,
        color: false,
        img: false,
        cta: false,
        arrow: false,
    },
    CardGroup: { cols: false },
    CodeGroup: { dropdown: false },
    Frame: { caption: false, hint: false },
    Icon: { icon: true, iconType: false, style: false, size: false, color: false, className: false },
    Info: {},
    Note: {},
    Step: { title: true, icon: false, iconType: false, stepNumber: false, titleSize: false, id: false },
    Steps: { titleSize: false },
    Tab: { title: true, icon: false, iconType: false, id: false },
    Tabs: { sync: false, borderBottom: false },
    Tip: {},
    Warning: {},
};

/** HTML elements that a page may write out. */
export const ELEMENTS = new Set(
    (
        'a abbr b br caption code col colgroup dd del details div dl dt em figcaption figure hr i img kbd li mark ol ' +
        'p s small span strong sub summary sup table tbody td tfoot th thead tr u ul var'
    ).split(' '),
);

/** Where a component must stand to mean something. */
export const PARENTS = /** @type {Record<string, string[]>} */ ({ Step: ['Steps'], Tab: ['Tabs'] });

/** What alone is shown inside a component; anything else in it would be lost. */
export const CHILDREN = /** @type {Record<string, { name: string, holds: (node: any) => boolean }>} */ ({
    CodeGroup: { name: 'fenced code', holds: (node) => node.type === 'code' },
    Tabs: { name: '<Tab>', holds: (node) => node.name === 'Tab' },
});
