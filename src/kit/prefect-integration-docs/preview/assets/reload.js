// Only in pages that the preview serves: load again when the sources have changed.
(() => {
    const events = new EventSource('/_site/events');
    events.addEventListener('change', () => location.reload());
    addEventListener('pagehide', () => events.close());
})();
