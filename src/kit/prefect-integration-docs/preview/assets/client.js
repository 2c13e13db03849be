/** What a page does in the browser: theme, navigation on a phone, tabs, copying, contents, search. */

const $ = (selector, inside = document) => inside.querySelector(selector);
const $$ = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// --- theme -----------------------------------------------------------------------------------------------------------

function theme() {
    const show = (choice) => {
        if (choice === 'system') delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = choice;
        for (const button of $$('[data-theme-choice]')) {
            button.setAttribute('aria-pressed', String(button.dataset.themeChoice === choice));
        }
    };
    show(document.documentElement.dataset.theme ?? 'system');
    for (const button of $$('[data-theme-choice]')) {
        button.addEventListener('click', () => {
            const { themeChoice } = button.dataset;
            show(themeChoice);
            try {
                localStorage.setItem('theme', themeChoice);
            } catch {
                // Storage may be forbidden; the choice holds for this page then.
            }
        });
    }
}

// --- navigation ------------------------------------------------------------------------------------------------------

function navigation() {
    const sidebar = $('.sidebar');
    const button = $('.menu');
    const scrim = $('.scrim');
    const narrow = matchMedia('(max-width: 1023px)');
    const set = (isOpen) => {
        const isDrawer = narrow.matches || document.body.classList.contains('no-sidebar');
        sidebar.classList.toggle('open', isOpen);
        sidebar.inert = isDrawer && !isOpen;
        $('main').inert = isOpen;
        scrim.hidden = !isOpen;
        document.documentElement.classList.toggle('locked', isOpen);
        button.setAttribute('aria-expanded', String(isOpen));
    };
    set(false);
    narrow.addEventListener('change', () => set(false));
    button.addEventListener('click', () => {
        const isOpen = !sidebar.classList.contains('open');
        set(isOpen);
        if (isOpen) ($('[aria-current]', sidebar) ?? sidebar).focus();
    });
    for (const closing of [scrim, $('.sidebar-close')]) {
        closing.addEventListener('click', () => {
            set(false);
            button.focus();
        });
    }
    sidebar.addEventListener('click', (event) => {
        if (event.target.closest('a')) set(false);
    });
    document.addEventListener('keydown', (event) => {
        if (event.key === 'Escape' && sidebar.classList.contains('open')) {
            set(false);
            button.focus();
        }
    });
    const current = $('[aria-current]', sidebar);
    if (current) {
        const { top, bottom } = current.getBoundingClientRect();
        const box = sidebar.getBoundingClientRect();
        if (top < box.top || bottom > box.bottom) sidebar.scrollTop += top - box.top - box.height / 3;
    }
}

// --- tabs ------------------------------------------------------------------------------------------------------------

function select(tab) {
    const list = tab.closest('[role=tablist]');
    for (const other of $$('[role=tab]', list)) {
        const isSelected = other === tab;
        other.setAttribute('aria-selected', String(isSelected));
        other.tabIndex = isSelected ? 0 : -1;
        document.getElementById(other.getAttribute('aria-controls')).hidden = !isSelected;
    }
}

function tabs() {
    for (const list of $$('[role=tablist]')) {
        list.addEventListener('click', (event) => {
            const tab = event.target.closest('[role=tab]');
            if (tab) select(tab);
        });
        list.addEventListener('keydown', (event) => {
            const all = $$('[role=tab]', list);
            const here = all.indexOf(document.activeElement);
            const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
            if (to === undefined || here < 0) return;
            event.preventDefault();
            const tab = all[(to + all.length) % all.length];
            select(tab);
            tab.focus();
        });
    }
}

/** Open what hides the target of the address: a tab, an accordion. */
function reveal() {
    let target;
    try {
        target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
        return;
    }
    if (!target) return;
    let isHidden = false;
    for (let node = target; node && node !== document.body; node = node.parentElement) {
        if (node.matches('details:not([open])')) {
            node.open = true;
            isHidden = true;
        }
        if (node.matches('[role=tabpanel][hidden]')) {
            select(document.getElementById(node.getAttribute('aria-labelledby')));
            isHidden = true;
        }
    }
    if (isHidden) target.scrollIntoView();
}

// --- copying ---------------------------------------------------------------------------------------------------------

async function write(text) {
    if (navigator.clipboard) {
        await navigator.clipboard.writeText(text);
        return;
    }
    // Pages that are not served over TLS or from this machine have no clipboard.
    const area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    document.body.append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    if (!isDone) throw new Error('the browser does not allow to copy');
}

function copying() {
    document.addEventListener('click', async (event) => {
        const button = event.target.closest?.('.copy');
        if (!button) return;
        const text = $('code', button.parentElement).textContent;
        try {
            await write(text);
            button.classList.add('done');
            $('.announcement').textContent = 'Copied.';
        } catch {
            $('.announcement').textContent = 'The browser does not allow to copy.';
        }
        setTimeout(() => {
            button.classList.remove('done');
            $('.announcement').textContent = '';
        }, 1600);
    });
}

// --- contents --------------------------------------------------------------------------------------------------------

function contents() {
    const links = $$('.toc a');
    if (links.length === 0) return;
    const scroller = $('.contents');
    // Where the window has no room for a third column, the same list folds out above the text.
    const folded = element('details', 'toc-inline');
    folded.append(element('summary', '', $('.toc p').textContent), $('.toc ul').cloneNode(true));
    folded.addEventListener('click', (event) => {
        if (event.target.closest('a')) folded.open = false;
    });
    const title = $('.prose > h1:first-child');
    if (title) title.after(folded);
    else $('.prose').before(folded);
    const entries = links
        .map((link) => ({ link, heading: document.getElementById(decodeURIComponent(link.hash.slice(1))) }))
        .filter(({ heading }) => heading);
    let active;
    const mark = (entry) => {
        if (entry === active) return;
        active = entry;
        for (const { link } of entries) {
            link.removeAttribute('aria-current');
            link.parentElement.classList.remove('near');
        }
        if (!entry) return;
        entry.link.setAttribute('aria-current', 'true');
        // On long pages only the methods of the class that is being read are listed.
        for (const item of family(entry.link.parentElement)) item.classList.add('near');
        const box = scroller.getBoundingClientRect();
        const { top, bottom } = entry.link.getBoundingClientRect();
        if (top < box.top + 40 || bottom > box.bottom - 40) scroller.scrollTop += top - box.top - box.height / 3;
    };
    const family = (item) => {
        const found = [item];
        let first = item;
        while (first.matches('.toc-4') && first.previousElementSibling) first = first.previousElementSibling;
        for (let next = first.nextElementSibling; next?.matches('.toc-4'); next = next.nextElementSibling)
            found.push(next);
        return found;
    };
    const update = () => {
        // What is current is the last heading above the reading line; the end of the page counts for the last one.
        const line = $('.top').getBoundingClientRect().bottom + 48;
        const visible = entries.filter(({ heading }) => heading.offsetParent !== null);
        const isEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
        const hash = isEnd && visible.find(({ link }) => link.hash === location.hash);
        let found = isEnd && scrollY > 0 ? hash || visible.at(-1) : undefined;
        if (!found) {
            let low = 0;
            let high = visible.length;
            while (low < high) {
                const middle = (low + high) >> 1;
                if (visible[middle].heading.getBoundingClientRect().top <= line) low = middle + 1;
                else high = middle;
            }
            found = visible[low - 1];
        }
        mark(found);
    };
    let isAsked = false;
    const ask = () => {
        if (isAsked) return;
        isAsked = true;
        requestAnimationFrame(() => {
            isAsked = false;
            update();
        });
    };
    addEventListener('scroll', ask, { passive: true });
    addEventListener('resize', ask);
    addEventListener('hashchange', ask);
    update();
}

// --- search ----------------------------------------------------------------------------------------------------------

let index;

/** The index is loaded when the search is first used, and once. */
function loadIndex() {
    index ??= (async () => {
        const [{ default: MiniSearch }, { OPTIONS, ask }, response] = await Promise.all([
            import('/_site/minisearch.js'),
            import('/_site/search.js'),
            fetch('/search.json'),
        ]);
        if (!response.ok) throw new Error(`search.json: ${response.status}`);
        const loaded = MiniSearch.loadJSON(await response.text(), OPTIONS);
        return (question) => ask(loaded, question);
    })();
    index.catch(() => {
        index = undefined;
    });
    return index;
}

function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
}

/** Text in which the words of a question are marked. */
function marked(className, text, question) {
    const made = element('span', className);
    const words = question.split(/[^\p{L}\p{N}_]+/u).filter((word) => word.length > 1);
    if (words.length === 0) {
        made.textContent = text;
        return made;
    }
    const pattern = new RegExp(
        `(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`,
        'giu',
    );
    for (const [number, part] of text.split(pattern).entries()) {
        if (number % 2 === 1) made.append(element('mark', '', part));
        else if (part) made.append(part);
    }
    return made;
}

function search() {
    const dialog = $('dialog.search');
    const input = $('input', dialog);
    const results = $('#results');
    const status = $('.search-status');
    let asked = 0;
    let answered = '';
    let active = -1;

    const activate = (number) => {
        const options = $$('[role=option]', results);
        active = options.length === 0 ? -1 : (number + options.length) % options.length;
        for (const [n, option] of options.entries()) option.setAttribute('aria-selected', String(n === active));
        if (active >= 0) {
            input.setAttribute('aria-activedescendant', options[active].id);
            options[active].scrollIntoView({ block: 'nearest' });
        } else {
            input.removeAttribute('aria-activedescendant');
        }
    };

    const show = async () => {
        asked += 1;
        const mine = asked;
        const question = input.value.trim();
        let found = [];
        let said = 'Type a word, or the name of a class or function.';
        if (question) {
            try {
                const answer = await loadIndex();
                if (mine !== asked) return; // another letter was typed meanwhile
                found = answer(question);
                said = found.length === 0 ? `Nothing found for “${question}”.` : '';
            } catch {
                said = 'The search index cannot be loaded; the site must be opened through a web server.';
            }
        }
        results.replaceChildren(
            ...found.map((result, number) => {
                const link = element('a', 'result');
                link.id = `result-${number}`;
                link.href = result.url;
                link.tabIndex = -1;
                link.setAttribute('role', 'option');
                const isCode = Boolean(result.symbol);
                link.append(
                    marked(isCode ? 'result-title code-name' : 'result-title', result.symbol || result.title, question),
                    element('span', 'result-crumb', result.crumb),
                );
                if (result.excerpt) link.append(marked('result-text', result.excerpt, question));
                return link;
            }),
        );
        answered = question;
        input.setAttribute('aria-expanded', String(found.length > 0));
        status.textContent = said;
        results.scrollTop = 0;
        activate(found.length > 0 ? 0 : -1);
    };

    const open = () => {
        if (dialog.open) return;
        dialog.showModal();
        input.select();
        loadIndex().catch(() => undefined); // said when something is searched
        show();
    };

    const go = (link) => {
        dialog.close();
        const isHere = link.pathname === location.pathname || `${link.pathname}/` === location.pathname;
        if (isHere && link.hash === location.hash && link.hash) reveal();
        location.assign(isHere ? link.hash || '#content' : link.href);
    };

    $('.search-open').addEventListener('click', open);
    $('.search-close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog) dialog.close();
        const link = event.target.closest('a.result');
        if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
            event.preventDefault();
            go(link);
        }
    });
    results.addEventListener('mousemove', (event) => {
        const options = $$('[role=option]', results);
        const here = options.indexOf(event.target.closest('[role=option]'));
        if (here >= 0 && here !== active) activate(here);
    });
    input.addEventListener('input', show);
    input.addEventListener('keydown', async (event) => {
        if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            event.preventDefault();
            activate(active + (event.key === 'ArrowDown' ? 1 : -1));
        } else if (event.key === 'Escape') {
            event.preventDefault(); // or Chromium empties the field and keeps the dialog
            dialog.close();
        } else if (event.key === 'Enter' && !event.isComposing) {
            event.preventDefault();
            // The answer may still be on its way when somebody types fast.
            if (answered !== input.value.trim()) await show();
            const link = $('[aria-selected=true]', results);
            if (link) go(link);
        }
    });
    document.addEventListener('keydown', (event) => {
        const isTyping = event.target.closest?.('input, textarea, select, [contenteditable]');
        const isCombination = event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey);
        if (isCombination || (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey)) {
            event.preventDefault();
            open();
        }
    });
    if (/Mac|iPhone|iPad/.test(navigator.platform)) $('.search-open kbd').textContent = '⌘ K';
}

theme();
navigation();
tabs();
copying();
reveal();
contents();
search();
addEventListener('hashchange', reveal);
