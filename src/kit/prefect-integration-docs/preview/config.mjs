/** docs.json: its text, its values, and the line of each of them. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { LineCounter, isMap, isSeq, parseDocument } from 'yaml';

/** @typedef {(string | number)[]} JsonPath */

/**
 * @typedef {object} Config
 * @property {string} path `docs/docs.json`
 * @property {any} value Empty when the file could not be read.
 * @property {(path: JsonPath) => number} line Line of the value, or of the nearest one around it that exists.
 * @property {import('./problems.mjs').Problem[]} problems
 */

/**
 * @param {string} docs Folder of the site.
 * @returns {Config}
 */
export function readConfig(docs) {
    const name = `${path.basename(docs)}/docs.json`;
    /** @type {Config} */
    const config = { path: name, value: {}, line: () => 1, problems: [] };
    const file = path.join(docs, 'docs.json');
    if (!existsSync(file)) {
        config.problems.push({
            path: name,
            line: 1,
            message: 'there is no docs.json; it names the site and its navigation',
        });
        return config;
    }
    const text = readFileSync(file, 'utf8');
    try {
        config.value = JSON.parse(text);
    } catch (error) {
        const { message } = /** @type {Error} */ (error);
        const position = /position (\d+)/.exec(message)?.[1];
        const before = position === undefined ? text.trimEnd() : text.slice(0, Number(position));
        config.problems.push({ path: name, line: before.split('\n').length, message: `not valid JSON: ${message}` });
        return config;
    }
    if (typeof config.value !== 'object' || config.value === null || Array.isArray(config.value)) {
        config.problems.push({ path: name, line: 1, message: 'the file holds no object' });
        config.value = {};
        return config;
    }

    // JSON is a part of YAML, and YAML's parser tells positions and double keys.
    const counter = new LineCounter();
    const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
    for (const error of document.errors.filter(({ code }) => code === 'DUPLICATE_KEY')) {
        const { line } = counter.linePos(error.pos[0]);
        config.problems.push({ path: name, line, message: 'this key stands twice in its object; the second one wins' });
    }
    config.line = (jsonPath) => counter.linePos(positionOf(document.contents, jsonPath)).line;
    return config;
}

/**
 * @param {any} root
 * @param {JsonPath} jsonPath
 * @returns {number} Offset in the file.
 */
function positionOf(root, jsonPath) {
    let node = root;
    let position = root?.range?.[0] ?? 0;
    for (const part of jsonPath) {
        if (isMap(node)) {
            const pair = node.items.find((item) => String(/** @type {any} */ (item.key)?.value) === String(part));
            if (pair === undefined) break;
            position = /** @type {any} */ (pair.key).range[0];
            node = pair.value;
        } else if (isSeq(node) && node.items[Number(part)]) {
            node = node.items[Number(part)];
            position = /** @type {any} */ (node).range[0];
        } else {
            break;
        }
    }
    return position;
}

/**
 * @param {JsonPath} jsonPath
 * @returns {string} `navigation.tabs[0].groups`
 */
export function showPath(jsonPath) {
    return (
        jsonPath
            .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
            .join('')
            .replace(/^\./, '') || 'the file'
    );
}
