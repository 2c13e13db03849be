/** Walking a Markdown syntax tree. */

/**
 * @typedef {any} Node A node of mdast, with the MDX extensions.
 */

/**
 * Visit every node below `node`, parents first. A visitor that returns `false` keeps its node's children unvisited.
 *
 * @param {Node} node
 * @param {(node: Node, parent: Node) => boolean | void} visitor
 */
export function walk(node, visitor) {
    for (const child of node.children ?? []) {
        if (visitor(child, node) !== false) walk(child, visitor);
    }
}

/** @param {Node} node */
export function isElement(node) {
    return node.type === 'mdxJsxFlowElement' || node.type === 'mdxJsxTextElement';
}

/**
 * Text that a reader sees, as Mintlify takes it from a heading: text and code, nothing of images.
 *
 * @param {Node} node
 * @returns {string}
 */
export function plainText(node) {
    if (node.type === 'text' || node.type === 'inlineCode') return node.value;
    return (node.children ?? []).map(plainText).join('');
}

/**
 * Find an attribute that is written as a string.
 *
 * @param {Node} element
 * @param {string} name
 * @returns {string | undefined}
 */
export function stringAttribute(element, name) {
    const value = element.attributes.find((/** @type {Node} */ a) => a.name === name)?.value;
    return typeof value === 'string' ? value : undefined;
}

/**
 * Set an attribute to a string.
 *
 * @param {Node} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
    const found = element.attributes.find((/** @type {Node} */ a) => a.name === name);
    if (found) found.value = value;
    else element.attributes.push({ type: 'mdxJsxAttribute', name, value });
}
