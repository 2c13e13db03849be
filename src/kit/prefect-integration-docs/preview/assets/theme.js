// Loaded before the page is painted, so that a stored theme does not flash.
(() => {
    let choice = null;
    try {
        choice = localStorage.getItem('theme');
    } catch {
        // Storage may be forbidden; the system's theme is shown then.
    }
    if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
    document.documentElement.classList.add('js');
})();
