// What HTML alone cannot: videos that play while they are pointed at, two that stay in step, a
// second press before something is deleted, and the switch between light and dark.
(() => {
  const within = (event, selector) =>
    event.target instanceof Element ? event.target.closest(selector) : null;

  const hover = (event, act) => {
    const card = within(event, ".tm-card");
    const video = card && card.querySelector("video.tm-small");
    if (video && !card.contains(event.relatedTarget)) act(video);
  };
  const play = (video) => video.play().catch(() => {}); // Refused by the browser: it stays still.
  document.addEventListener("mouseover", (event) => hover(event, play));
  document.addEventListener("focusin", (event) => hover(event, play));
  document.addEventListener("mouseout", (event) => hover(event, (video) => video.pause()));
  document.addEventListener("focusout", (event) => hover(event, (video) => video.pause()));

  document.addEventListener(
    "click",
    (event) => {
      const button = within(event, "[data-confirm]");
      if (!button || button.dataset.asked) return;
      event.stopPropagation();
      const label = button.textContent;
      button.dataset.asked = "yes";
      button.textContent = button.dataset.confirm;
      setTimeout(() => {
        delete button.dataset.asked;
        button.textContent = label;
      }, 4000);
    },
    true,
  );

  const twins = (element) => {
    const box = element.closest(".tm-compare");
    return { box, videos: box ? [...box.querySelectorAll("video")] : [] };
  };
  // Videos of different lengths are compared by their part that has passed.
  const seek = (videos, part) =>
    videos.forEach((video) => {
      if (video.duration) video.currentTime = part * video.duration;
    });
  document.addEventListener("click", (event) => {
    const button = within(event, "[data-play]");
    if (!button) return;
    const { videos } = twins(button);
    const starts = videos.some((video) => video.paused);
    videos.forEach((video) => (starts ? play(video) : video.pause()));
    button.textContent = starts ? "Pause" : "Play";
  });
  document.addEventListener("input", (event) => {
    const slider = within(event, "[data-seek]");
    if (slider) seek(twins(slider).videos, Number(slider.value));
  });
  document.addEventListener(
    "timeupdate",
    (event) => {
      if (!event.target.matches("video.tm-twin")) return;
      const { box, videos } = twins(event.target);
      const [leader, follower] = videos;
      if (event.target !== leader || !leader.duration || !follower || !follower.duration) return;
      const part = leader.currentTime / leader.duration;
      const slider = box.querySelector("[data-seek]");
      if (document.activeElement !== slider) slider.value = part;
      // A tenth of a second is what an eye may notice.
      if (Math.abs(follower.currentTime - part * follower.duration) > 0.1) seek([follower], part);
    },
    true,
  );

  // Their label says less than they show: without it they are called what stands on them.
  const named = ".upload-container[aria-label]";
  new MutationObserver(() =>
    document.querySelectorAll(named).forEach((box) => box.removeAttribute("aria-label")),
  ).observe(document, { childList: true, subtree: true, attributeFilter: ["aria-label"] });

  const KEY = "tiomagic-theme";
  const paint = (theme) => document.body.classList.toggle("dark", theme === "dark");
  const remembered = localStorage.getItem(KEY);
  if (remembered) window.addEventListener("load", () => paint(remembered));
  document.addEventListener("click", (event) => {
    if (!within(event, "[data-theme]")) return;
    const theme = document.body.classList.contains("dark") ? "light" : "dark";
    localStorage.setItem(KEY, theme);
    paint(theme);
  });
})();
