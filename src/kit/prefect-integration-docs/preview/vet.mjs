/**
 * What a page must not hold: JavaScript, and components or elements that are not known.
 *
 * Most of it compiles and fails only when the page is rendered, without a position. So it is looked for in the syntax
 * tree, which has one, and taken out of it, so that the rest of the page is rendered and checked all the same.
 */

import { CHILDREN, COMPONENTS, ELEMENTS, PARENTS } from './components/catalogue.mjs';
import { iconProblem } from './icons.mjs';
import { isElement } from './tree.mjs';

/** @typedef {import('./tree.mjs').Node} Node */

/**
 * @param {Node} tree Is changed: what is not allowed is taken out.
 * @param {(place: Node, message: string, withColumn?: boolean) => void} report
 */
export function vet(tree, report) {
    vetChildren(tree, [], report);
}

/**
 * @param {Node} parent
 * @param {string[]} inside Names of the elements around.
 * @param {(place: Node, message: string, withColumn?: boolean) => void} report
 */
function vetChildren(parent, inside, report) {
    if (!parent.children) return;
    parent.children = parent.children.filter((/** @type {Node} */ node) => {
        if (node.type === 'mdxjsEsm') {
            report(node, '`import` and `export` are JavaScript; a page holds text and components only');
            return false;
        }
        if (node.type === 'mdxFlowExpression' || node.type === 'mdxTextExpression') {
            if (!isComment(node)) report(node, expressionMessage(node.value), true);
            return false;
        }
        if (isElement(node)) vetElement(node, inside, report);
        vetChildren(node, node.name ? [...inside, node.name] : inside, report);
        return true;
    });
}

/** @param {Node} node */
function isComment(node) {
    const program = node.data?.estree;
    return program?.body.length === 0 && (program.comments?.length ?? 0) > 0;
}

/** @param {Node} node */
function isBlank(node) {
    return (node.type === 'text' && node.value.trim() === '') || (node.data?.estree && isComment(node));
}

/** @param {string} value */
function expressionMessage(value) {
    const shown = value.trim().split('\n')[0];
    const written = `{${shown}${value.trim().includes('\n') ? ' …' : ''}}`;
    const name = /^[A-Za-z_$][\w$]*/.exec(shown)?.[0];
    const cause = name
        ? `\`${name}\` is not defined when the page is rendered`
        : shown
          ? 'it is evaluated when the page is rendered'
          : 'nothing is shown for it';
    return `\`${written}\` outside of code is JavaScript to MDX: ${cause}; put it in code or escape it as \`\\{\``;
}

/**
 * @param {Node} node
 * @param {string[]} inside
 * @param {(place: Node, message: string, withColumn?: boolean) => void} report
 */
function vetElement(node, inside, report) {
    const { name } = node;
    if (name === null) return; // a fragment, <>…</>
    if (Object.hasOwn(COMPONENTS, name)) {
        vetComponent(node, inside, report);
    } else if (ELEMENTS.has(name)) {
        vetAttributes(node, report);
    } else {
        const isComponent = /^[A-Z]/.test(name) || name.includes('.');
        const known = Object.keys(COMPONENTS).join(', ');
        report(
            node,
            isComponent
                ? `<${name}> is not a component that the preview knows; add it to preview/components or use ${known}`
                : `<${name}> is not an element that a page may use; write Markdown, or put it in code`,
        );
        node.name = null;
        node.attributes = [];
    }
}

/**
 * @param {Node} node
 * @param {string[]} inside
 * @param {(place: Node, message: string) => void} report
 */
function vetComponent(node, inside, report) {
    const { name } = node;
    const known = COMPONENTS[name];
    const before = node.attributes.length;
    vetAttributes(node, report);
    const isWhole = node.attributes.length === before; // what was taken out has been reported
    for (const attribute of node.attributes) {
        if (!Object.hasOwn(known, attribute.name)) {
            const takes = Object.keys(known).join(', ') || 'no attributes';
            report(
                attribute.position ? attribute : node,
                `<${name}> has no attribute \`${attribute.name}\`; it takes ${takes}`,
            );
        }
        if (attribute.name === 'icon' && typeof attribute.value === 'string') {
            const wrong = iconProblem(attribute.value);
            if (wrong) {
                report(attribute.position ? attribute : node, wrong);
                attribute.value = 'circle-question';
            }
        }
    }
    for (const [attribute, isRequired] of Object.entries(known)) {
        const given = node.attributes.find((/** @type {Node} */ a) => a.name === attribute);
        if (isRequired && isWhole && (given === undefined || given.value === null || given.value === '')) {
            report(node, `<${name}> needs the attribute \`${attribute}\``);
        }
        if (attribute === 'icon' && isRequired && !given?.value) {
            node.name = null; // nothing can be drawn
            node.attributes = [];
        }
    }
    const only = CHILDREN[name];
    const other = only && node.children.find((/** @type {Node} */ child) => !only.holds(child) && !isBlank(child));
    if (other) report(other, `<${name}> shows only ${only.name}; this would be lost, so move it out`);
    const parents = PARENTS[name];
    if (parents && !parents.includes(inside.at(-1) ?? '')) {
        report(node, `<${name}> stands only directly inside <${parents.join('> or <')}>`);
    }
}

/**
 * Keep attributes whose value is a literal.
 *
 * @param {Node} node
 * @param {(place: Node, message: string) => void} report
 */
function vetAttributes(node, report) {
    node.attributes = node.attributes.filter((/** @type {Node} */ attribute) => {
        const place = attribute.position ? attribute : node;
        if (attribute.type === 'mdxJsxExpressionAttribute') {
            report(place, `<${node.name}> takes attributes one by one; \`{${attribute.value}}\` is JavaScript`);
            return false;
        }
        if (/^on[A-Za-z]|^dangerouslySetInnerHTML$/.test(attribute.name)) {
            report(place, `<${node.name}>: \`${attribute.name}\` is JavaScript; a page holds text and components only`);
            return false;
        }
        if (attribute.value && typeof attribute.value === 'object') {
            const expression = attribute.value.data?.estree?.body[0]?.expression;
            if (!isLiteral(expression)) {
                report(
                    place,
                    `<${node.name}>: the value of \`${attribute.name}\` is JavaScript; write a literal, such as {3}`,
                );
                return false;
            }
            if (attribute.name === 'icon' && expression.type === 'Literal') attribute.value = String(expression.value);
        }
        return true;
    });
}

/**
 * @param {any} node Expression of an ESTree.
 * @returns {boolean}
 */
function isLiteral(node) {
    switch (node?.type) {
        case 'Literal':
            return true;
        case 'TemplateLiteral':
            return node.expressions.length === 0;
        case 'UnaryExpression':
            return node.operator === '-' && isLiteral(node.argument);
        case 'ArrayExpression':
            return node.elements.every(isLiteral);
        case 'ObjectExpression':
            return node.properties.every(
                (/** @type {any} */ property) =>
                    property.type === 'Property' && !property.computed && isLiteral(property.value),
            );
        default:
            return false;
    }
}
