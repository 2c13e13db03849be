/** What is wrong at one place of one file, and how it is said. */

/** A mistake of the one who calls, not of a page and not of the program. */
export class UsageError extends Error {}

/**
 * @typedef {object} Problem
 * @property {string} path File, relative to the folder above `docs`, with slashes.
 * @property {number} line Line, from 1.
 * @property {number} [column] Column, from 1, where it helps to find the place.
 * @property {string} message What is wrong, and the remedy.
 */

/**
 * @param {Problem} problem
 * @returns {string} `path:line: message`, or `path:line:column: message`
 */
export function format({ path, line, column, message }) {
    return `${path}:${line}:${column === undefined ? '' : `${column}:`} ${message.replace(/\s*\n\s*/g, ' ')}`;
}

/**
 * Sort by place and drop what is said twice.
 *
 * @param {Problem[]} problems
 * @returns {Problem[]}
 */
export function sorted(problems) {
    const unique = new Map(problems.map((problem) => [format(problem), problem]));
    return [...unique.values()].sort(
        (a, b) =>
            compare(a.path, b.path) ||
            a.line - b.line ||
            (a.column ?? 0) - (b.column ?? 0) ||
            compare(a.message, b.message),
    );
}

/**
 * Order strings by code unit: the same in every locale.
 *
 * @param {string} a
 * @param {string} b
 */
export function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
}
