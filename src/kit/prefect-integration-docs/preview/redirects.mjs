/** The redirects of docs.json. */

import { showPath } from './config.mjs';
import { isOutside } from './links.mjs';

/** @typedef {import('./problems.mjs').Problem} Problem */

/**
 * @typedef {object} Redirect
 * @property {string} source Address without its last slash.
 * @property {string} destination As it is written.
 * @property {import('./config.mjs').JsonPath} at
 */

/** @param {string} address */
function isPattern(address) {
    return /[:*]/.test(address) && !isOutside(address);
}

/** @param {string} address */
function withoutEnd(address) {
    return `/${address.replace(/[?#].*$/s, '').replace(/^\/+|\/+$/g, '')}`;
}

/**
 * List the redirects that can be followed without knowing the address that is asked for: those without a wildcard.
 *
 * @param {any} config Value of docs.json.
 * @returns {Redirect[]}
 */
export function readRedirects(config) {
    if (!Array.isArray(config.redirects)) return [];
    return config.redirects.flatMap((/** @type {any} */ entry, /** @type {number} */ n) => {
        const { source, destination } = entry ?? {};
        if (typeof source !== 'string' || typeof destination !== 'string' || isPattern(source)) return [];
        return [{ source: withoutEnd(source), destination, at: ['redirects', n] }];
    });
}

/**
 * Find redirects that lead nowhere, to another redirect or around, and those that hide a page.
 *
 * @param {import('./config.mjs').Config} config
 * @param {import('./links.mjs').Targets} targets
 * @returns {Problem[]}
 */
export function checkRedirects(config, targets) {
    /** @type {Problem[]} */
    const problems = [];
    const redirects = readRedirects(config.value);
    /** @type {Map<string, Redirect>} */
    const bySource = new Map();
    for (const redirect of redirects) {
        const first = bySource.get(redirect.source);
        if (first) report(redirect, `it is redirected twice, first in line ${config.line(first.at)}; remove one`);
        else bySource.set(redirect.source, redirect);
    }
    for (const redirect of redirects) {
        const { source, destination } = redirect;
        if (targets.pages.has(source))
            report(redirect, 'there is a page at this address; remove the redirect or the page');
        if (isOutside(destination) || isPattern(destination)) continue;
        const where = withoutEnd(destination);
        const next = bySource.get(where);
        if (next !== undefined && isLoop(redirect, bySource)) {
            report(redirect, `${destination} leads back here: a loop; let one of them lead to a page`);
        } else if (next !== undefined) {
            report(redirect, `${destination} is itself redirected; lead to ${next.destination} at once`);
        } else {
            checkDestination(redirect, where);
        }
    }
    return problems;

    /**
     * @param {Redirect} redirect
     * @param {string} message
     */
    function report({ source, at }, message) {
        problems.push({
            path: config.path,
            line: config.line(at),
            message: `${showPath(at)}: redirect of ${source}: ${message}`,
        });
    }

    /**
     * @param {Redirect} redirect
     * @param {string} where
     */
    function checkDestination(redirect, where) {
        const page = targets.pages.get(where);
        const fragment = redirect.destination.split('#')[1];
        if (page === undefined) {
            if (!targets.files.has(where.slice(1))) report(redirect, `${redirect.destination} is no page`);
        } else if (fragment && page.ids && !page.ids.has(fragment)) {
            report(redirect, `${redirect.destination}: the page has no such heading or anchor`);
        }
    }
}

/**
 * @param {Redirect} start
 * @param {Map<string, Redirect>} bySource
 */
function isLoop(start, bySource) {
    const passed = new Set([start.source]);
    for (
        let next = bySource.get(withoutEnd(start.destination));
        next;
        next = bySource.get(withoutEnd(next.destination))
    ) {
        if (next.source === start.source) return true;
        if (passed.has(next.source)) return false;
        passed.add(next.source);
    }
    return false;
}
