/**
 * Anchors, as Mintlify makes them.
 *
 * Its plugins `remarkComponentIds` and `remarkExtractTableOfContents` (npm package `@mintlify/common`) run one after
 * the other: the first percent-encodes the title, reduces it with `@sindresorhus/slugify` and counts repetitions as
 * `slugifyWithCounter` does; the second decodes, takes out punctuation and emoji, and makes what is still equal unique.
 */

import slugify from '@sindresorhus/slugify';

const PERCENT = /%[0-9A-F]{2}/;
const PUNCTUATION = /[?,;:!'"()[\]{}]/g;
const EMOJI =
    /[\p{Emoji_Modifier}\p{Emoji_Modifier_Base}\p{Emoji_Presentation}\p{Extended_Pictographic}\u200D\uFE0E\uFE0F]/gu;

/** The library compiles some two thousand patterns at each call: a title goes through it once, a plain name never. */
const known = new Map();
const PLAIN_NAME = /^[a-z\d_]+$/;

/**
 * @param {string} title Plain text of a heading.
 * @returns {string} Its percent-encoded slug, before counting.
 */
export function encodedSlug(title) {
    let slug = known.get(title);
    if (slug === undefined) {
        const encoded = encodeURIComponent(title.toWellFormed().toLowerCase().trim().replace(/\s+/g, '-'));
        if (PLAIN_NAME.test(encoded)) slug = encoded;
        else if (PERCENT.test(encoded))
            slug = slugify(encoded, { decamelize: false, preserveCharacters: ['%', '_'], lowercase: false });
        else slug = slugify(encoded, { decamelize: false, preserveCharacters: ['_'] });
        known.set(title, slug);
    }
    return slug;
}

/**
 * Slug of the title of an accordion, to which Mintlify adds its own counter.
 *
 * @param {string} title
 */
export function accordionSlug(title) {
    return slugify(title.replace(':', '-'), { decamelize: false });
}

/** @param {string} slug */
function clean(slug) {
    try {
        return decodeURIComponent(slug.replace(/%(?![0-9A-Fa-f]{2})/g, '%25'))
            .replace(PUNCTUATION, '')
            .replace(EMOJI, '');
    } catch {
        return slug; // a cut multi-byte sequence stays as it is
    }
}

/** `slugifyWithCounter` of the library, over slugs that were made before. */
export class Counter {
    #seen = new Map();

    /** @param {string} slug */
    next(slug) {
        if (!slug) return '';
        const lower = slug.toLowerCase();
        const numberless = this.#seen.get(lower.replace(/(?:-\d+?)+?$/, '')) ?? 0;
        const count = (this.#seen.get(lower) ?? 0) + 1;
        this.#seen.set(lower, count);
        return count >= 2 || numberless > 2 ? `${slug}-${count}` : slug;
    }
}

/** The anchors of one page's headings, in their order. */
export class Anchors {
    #counter = new Counter();
    #taken = new Map();

    /**
     * @param {string} title Plain text of the next heading.
     * @returns {string} Its anchor.
     */
    heading(title) {
        const slug = encodedSlug(title);
        return this.#unique(clean(this.#counter.next(slug)) || slug);
    }

    /** @param {string} slug */
    #unique(slug) {
        const count = this.#taken.get(slug) ?? 0;
        this.#taken.set(slug, count + 1);
        if (count === 0) return slug;
        let suffix = count + 1;
        while (this.#taken.has(`${slug}-${suffix}`)) suffix += 1;
        this.#taken.set(`${slug}-${suffix}`, 1);
        return `${slug}-${suffix}`;
    }
}
