/** How the site's text is searched: the same code makes the index and asks it. */

export const OPTIONS = {
    fields: ['symbol', 'title', 'page', 'text'],
    storeFields: ['url', 'title', 'symbol', 'page', 'crumb', 'excerpt', 'level'],
    tokenize,
    processTerm: (/** @type {string} */ term) => term.toLowerCase(),
};

/**
 * Split text into words. A name in code is found by its whole and by its parts: `S3Bucket` also as `s3` and `bucket`,
 * `read_path` also as `read` and `path`.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function tokenize(text) {
    const words = [];
    for (const word of text.match(/[\p{L}\p{N}_]+/gu) ?? []) {
        words.push(word);
        const parts = word
            .split('_')
            .flatMap((part) => part.split(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u))
            .filter(Boolean);
        if (parts.length > 1 || parts[0] !== word) words.push(...parts);
    }
    return words;
}

/**
 * Ask the index. What is called exactly as the question comes first, then what its words stand in.
 *
 * @param {import('minisearch').default} index
 * @param {string} question
 * @param {number} [limit]
 */
export function ask(index, question, limit = 12) {
    const asked = question.trim().replace(/^`|`$|\(\)$/g, '');
    const found = index.search(asked, {
        boost: { symbol: 6, title: 4, page: 2 },
        combineWith: 'AND',
        prefix: (term) => term.length > 1,
        fuzzy: (term) => (term.length > 4 ? 0.2 : 0),
        // Only whole words of the question count, not again its parts.
        tokenize: (text) => text.match(/[\p{L}\p{N}_]+/gu) ?? [],
    });
    return found
        .map((result, place) => ({ result, place, rank: rank(result, asked) }))
        .sort((a, b) => b.rank - a.rank || a.place - b.place)
        .slice(0, limit)
        .map(({ result }) => result);
}

/**
 * @param {any} entry
 * @param {string} asked
 * @returns {number} The higher, the further up.
 */
function rank({ symbol, title, level }, asked) {
    const lower = asked.toLowerCase();
    const last = symbol.split('.').at(-1);
    if (symbol === asked) return 6;
    if (last === asked) return 5;
    if (symbol.toLowerCase() === lower) return 4;
    if (last.toLowerCase() === lower && symbol) return 3;
    if (title.toLowerCase() === lower) return level === 1 ? 2 : 1;
    return 0;
}
