/** docs.json against Mintlify's schema, unknown keys included. */

// The package's index also loads its OpenAPI converters and builds JSON schemas, which takes ten times as long.
import { validateDocsConfig } from '@mintlify/validation/dist/mint-config/validateConfig.js';

import { showPath } from './config.mjs';
import { iconProblem } from './icons.mjs';

/** @typedef {import('./problems.mjs').Problem} Problem */
/** @typedef {import('./config.mjs').JsonPath} JsonPath */

/** Keys that the schema drops and that published sites carry: they do nothing, on the hosted site too. */
const HARMLESS = [{ beside: 'group', key: 'anchor' }];

/**
 * @param {import('./config.mjs').Config} config
 * @returns {Problem[]}
 */
export function checkSchema(config) {
    /** @type {Problem[]} */
    const problems = [];
    const report = (/** @type {JsonPath} */ at, /** @type {string} */ message) =>
        problems.push({ path: config.path, line: config.line(at), message: `${showPath(at)}: ${message}` });

    const result = validateDocsConfig(config.value);
    if (result.success) {
        for (const { at, siblings } of dropped(config.value, result.data, [])) {
            report(at, `Mintlify knows no such key here; beside it stand ${siblings || 'no others'}`);
        }
    } else {
        for (const issue of result.error.issues.map((/** @type {any} */ issue) => deepest(issue, []))) {
            report(issue.path, `against Mintlify's schema: ${issue.message}`);
        }
    }
    for (const at of icons(config.value, [])) {
        const wrong = iconProblem(at.reduce((value, part) => value?.[part], config.value));
        if (wrong) report(at, wrong);
    }
    return problems;
}

/**
 * The schema's validator accepts unknown keys and leaves them out of what it returns.
 *
 * @param {any} given
 * @param {any} kept
 * @param {JsonPath} at
 * @returns {Generator<{ at: JsonPath, siblings: string }>}
 */
function* dropped(given, kept, at) {
    if (typeof given !== 'object' || given === null || typeof kept !== 'object' || kept === null) return;
    if (Array.isArray(given)) {
        if (Array.isArray(kept)) for (const [n, item] of given.entries()) yield* dropped(item, kept[n], [...at, n]);
        return;
    }
    for (const [key, value] of Object.entries(given)) {
        if (Object.hasOwn(kept, key)) yield* dropped(value, kept[key], [...at, key]);
        else if (!HARMLESS.some((harmless) => harmless.key === key && harmless.beside in given)) {
            const siblings = Object.keys(given).filter((other) => other !== key && Object.hasOwn(kept, other));
            yield { at: [...at, key], siblings: siblings.map((other) => `\`${other}\``).join(', ') };
        }
    }
}

/**
 * Of the branches of a union, tell of the one that was followed furthest: it is the one that was meant.
 *
 * @param {any} issue
 * @param {JsonPath} prefix
 * @returns {{ path: JsonPath, message: string }}
 */
function deepest(issue, prefix) {
    const own = { path: [...prefix, ...issue.path], message: issue.message };
    const branches = (issue.unionErrors ?? []).flatMap((/** @type {any} */ error) =>
        error.issues.map((/** @type {any} */ inner) => deepest(inner, prefix)),
    );
    return branches.reduce(
        (/** @type {any} */ best, /** @type {any} */ next) => (next.path.length > best.path.length ? next : best),
        own,
    );
}

/**
 * @param {any} value
 * @param {JsonPath} at
 * @returns {Generator<JsonPath>}
 */
function* icons(value, at) {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
        const path = [...at, Array.isArray(value) ? Number(key) : key];
        if (key === 'icon' && typeof inner === 'string') yield path;
        else yield* icons(inner, path);
    }
}
