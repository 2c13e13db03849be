/** From a page's source to HTML, with all that the checks, the search and the layout want to know about it. */

import { createProcessor, runSync } from '@mdx-js/mdx';
import { h } from 'preact';
import * as runtime from 'preact/jsx-runtime';
import { renderToString } from 'preact-render-to-string';
import remarkGfm from 'remark-gfm';

import { takeFences } from './code.mjs';
import { components } from './components/index.mjs';
import { isKnownLanguage } from './highlight.mjs';
import { iconProblem } from './icons.mjs';
import { collectLinks } from './links.mjs';
import { outline } from './outline.mjs';
import { plainText, walk } from './tree.mjs';
import { vet } from './vet.mjs';

/** @typedef {import('./problems.mjs').Problem} Problem */

/**
 * @typedef {object} Rendered
 * @property {Problem[]} problems
 * @property {string | undefined} html Missing when the page could not be rendered. Fences are marks that the layout
 *   fills.
 * @property {import('./code.mjs').Fence[]} fences
 * @property {string[] | undefined} ids Anchors; missing when the page could not be read.
 * @property {import('./outline.mjs').Section[]} sections
 * @property {import('./links.mjs').Link[]} links
 */

/** What stands in italics above a signature in the reference. */
const KIND = /^(?:async )?(?:task|flow|property|class method|static method|method|function)(?:, .*)?$/;

/** @type {Record<string, string>} What to do about the parser's commonest complaints. */
const REMEDIES = {
    'a closing tag for': 'close it, or put it in code',
    'before name': 'write `\\<`, or put it in code',
    'in name, expected': 'write an address as [text](address), a bare `<` as `\\<`, or put it in code',
    'parse expression with acorn': 'outside of code braces are JavaScript to MDX; put it in code or write `\\{`',
    'lazy line in expression': 'outside of code braces are JavaScript to MDX; put it in code or write `\\{`',
    'end of file in expression': 'outside of code braces are JavaScript to MDX; put it in code or write `\\{`',
    'import/exports with acorn': '`import` and `export` at the start of a line are JavaScript; put it in code',
};

/** Our part of the work on the syntax tree; the page's record comes with the file. */
function examine() {
    return (/** @type {any} */ tree, /** @type {any} */ file) => {
        const { page, rendered } = file.data;
        const report = (/** @type {any} */ place, /** @type {string} */ message, withColumn = false) => {
            const start = place.position?.start ?? { line: 1 };
            rendered.problems.push({
                path: page.path,
                line: start.line,
                message,
                ...(withColumn && { column: start.column }),
            });
        };
        vet(tree, report);
        if (!page.url.includes('/api-ref/')) checkFirstHeading(tree, report);
        markReference(tree);
        Object.assign(rendered, outline(tree, report));
        rendered.links = collectLinks(tree, page.url);
        rendered.fences = takeFences(tree);
        checkFences(page, rendered);
    };
}

/**
 * @param {any} tree
 * @param {(place: any, message: string) => void} report
 */
function checkFirstHeading(tree, report) {
    walk(tree, (node) => {
        if (node.type !== 'heading' || node.depth !== 1) return;
        report(node, `\`# ${plainText(node)}\`: the site shows the title as first heading; start at \`##\``);
    });
}

/**
 * @param {import('./pages.mjs').Page} page
 * @param {Rendered} rendered
 */
function checkFences(page, { fences, problems }) {
    const lines = page.body.split('\n');
    for (const { lang, line, lastLine } of fences) {
        const report = (/** @type {string} */ message) => problems.push({ path: page.path, line, message });
        if (!isKnownLanguage(lang)) {
            report(`no highlighting is known for \`${lang}\`; \`text\` is a language that always works`);
        }
        if (line === lastLine || !/^[\s>]*(?:`{3,}|~{3,})\s*$/.test(lines[lastLine - 1])) {
            // In MDX a fence of the same length closes it, however far it is indented.
            report('this fence is never closed; one that holds fences has to be longer than they are');
        }
    }
}

/** Mark what the layout of the reference sets apart: the kind of a signature, the signature, labels of sections. */
function markReference(/** @type {any} */ tree) {
    let isSignature = false;
    for (const [number, node] of tree.children.entries()) {
        const only = node.type === 'paragraph' && node.children.length === 1 ? node.children[0] : undefined;
        const text = only?.children?.[0]?.value ?? '';
        const isKind = only?.type === 'emphasis' && tree.children[number + 1]?.type === 'code' && KIND.test(text);
        if (isKind) node.data = { hProperties: { className: ['kind'] } };
        if (only?.type === 'strong' && text.endsWith(':')) node.data = { hProperties: { className: ['label'] } };
        // Signatures follow the heading, with a line on the kind between them or none; overloads follow each other.
        isSignature = (node.type === 'heading' && node.depth > 2) || (isSignature && (isKind || node.type === 'code'));
        if (isSignature && node.type === 'code' && node.lang === 'python') node.data = { isSignature };
    }
}

const processor = createProcessor({
    format: 'mdx',
    outputFormat: 'function-body',
    remarkPlugins: [remarkGfm, examine],
});

/**
 * Compile a page and render it: what compiles may still fail when it is rendered.
 *
 * @param {import('./pages.mjs').Page} page
 * @returns {Rendered}
 */
export function render(page) {
    /** @type {Rendered} */
    const rendered = { problems: [], html: undefined, fences: [], ids: undefined, sections: [], links: [] };
    const { icon } = page.front;
    const wrong = icon === undefined || icon === null ? undefined : iconProblem(icon);
    if (wrong) rendered.problems.push({ path: page.path, line: 1, message: `front matter: ${wrong}` });
    try {
        const file = processor.processSync({ value: page.body, path: page.path, data: { page, rendered } });
        const { default: Content } = runSync(String(file), /** @type {any} */ (runtime));
        rendered.html = renderToString(h(Content, { components }));
    } catch (error) {
        rendered.problems.push(failure(page, error));
    }
    return rendered;
}

/**
 * @param {import('./pages.mjs').Page} page
 * @param {any} error What the compiler or a component threw.
 * @returns {Problem}
 */
function failure(page, error) {
    const message = String(error.reason ?? error.message ?? error);
    if (error.reason === undefined) return { path: page.path, line: 1, message: `cannot be rendered: ${message}` };
    const remedy = Object.entries(REMEDIES).find(([part]) => message.includes(part))?.[1];
    const { line = 1, column } = placeOf(page.body, message, error);
    return { path: page.path, line, ...(column && { column }), message: `${message}${remedy ? `; ${remedy}` : ''}` };
}

/**
 * Where the cause of a syntax error is, which the parser may notice much later.
 *
 * @param {string} body
 * @param {string} message
 * @param {any} error
 * @returns {{ line?: number, column?: number }}
 */
function placeOf(body, message, error) {
    const tag = /^Expected a closing tag for .*?\((\d+):(\d+)/.exec(message);
    if (tag) return { line: Number(tag[1]), column: Number(tag[2]) };
    const start = error.place?.start ?? error.place ?? error;
    if (message.includes('end of file in expression') && start.offset !== undefined) {
        let open = 0;
        for (let offset = start.offset - 1; offset >= 0; offset -= 1) {
            if (body[offset] === '}') open -= 1;
            if (body[offset] === '{') open += 1;
            if (open > 0) {
                const before = body.slice(0, offset).split('\n');
                return { line: before.length, column: before[before.length - 1].length + 1 };
            }
        }
    }
    return { line: start.line ?? undefined, column: start.column ?? undefined };
}
