// What HTML alone cannot: videos that play while they are pointed at, several that stay in step, bars
// that move, a form that outlives a reload, a second press before something is deleted, and the
// switch between light and dark.
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

  // A button that asks waits for its second press, however long that takes and however often its
  // card comes anew, and takes the question back when anything else is pressed. The second half of
  // a double click is no answer.
  let asked = null;
  const questionOf = (button) => button && `${button.dataset.action} ${button.dataset.job}`;
  const showQuestion = () =>
    document.querySelectorAll("[data-confirm]").forEach((button) => {
      const isAsked = questionOf(button) === asked;
      if (isAsked === "asked" in button.dataset) return;
      if (isAsked) button.dataset.asked = button.textContent;
      button.textContent = isAsked ? button.dataset.confirm : button.dataset.asked;
      if (!isAsked) delete button.dataset.asked;
    });
  const ask = (question) => {
    asked = question;
    showQuestion();
  };
  document.addEventListener(
    "click",
    (event) => {
      // The question is longer than the button was, which may so have moved away from under it.
      if (asked && event.detail > 1) {
        event.stopPropagation();
        event.preventDefault();
        return;
      }
      const question = questionOf(within(event, "[data-confirm]"));
      const isAnswer = question && question === asked;
      if (question && !isAnswer) event.stopPropagation();
      ask(isAnswer ? null : question);
    },
    true,
  );
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") ask(null);
  });

  // Where a comparison stands is the part of its videos that has passed, as their lengths differ. It
  // is kept at the comparison, for a video may know its length long after the user moved the slider.
  const boxOf = (element) => element.closest(".tm-compare");
  const twins = (box) => [...box.querySelectorAll("video.tm-twin")];
  const place = (video) => {
    const { part } = boxOf(video).dataset;
    if (part === undefined || !video.duration) return;
    // A browser that is told of another place while it looks for one shows neither.
    if (video.seeking) video.dataset.late = "yes";
    else video.currentTime = part * video.duration;
  };
  const move = (box, part) => {
    box.dataset.part = part;
    twins(box).forEach(place);
  };
  const onTwin = (name, act) =>
    document.addEventListener(
      name,
      (event) => {
        if (event.target.matches("video.tm-twin")) act(event.target, boxOf(event.target));
      },
      true,
    );
  document.addEventListener("click", (event) => {
    const button = within(event, "[data-play]");
    if (!button) return;
    const videos = twins(boxOf(button));
    const starts = videos.every((video) => video.paused);
    videos.forEach((video) => (starts ? play(video) : video.pause()));
  });
  document.addEventListener("input", (event) => {
    const slider = within(event, "[data-seek]");
    if (!slider) return;
    slider.dataset.held = "yes";
    move(boxOf(slider), Number(slider.value));
  });
  document.addEventListener("change", (event) => {
    const slider = within(event, "[data-seek]");
    if (slider) delete slider.dataset.held;
  });
  onTwin("loadedmetadata", (video, box) => {
    place(video);
    const [leader, ...followers] = twins(box);
    followers.forEach((follower) => {
      if (!leader.duration || !follower.duration) return;
      // They end together; browsers refuse what is faster or slower than this.
      const rate = follower.duration / leader.duration;
      follower.playbackRate = Math.min(16, Math.max(0.0625, rate));
    });
  });
  onTwin("seeked", (video) => {
    if (!video.dataset.late) return;
    delete video.dataset.late;
    place(video);
  });
  onTwin("timeupdate", (video, box) => {
    const [leader, ...followers] = twins(box);
    // One that stands still, or looks for its place, is where it was told to be.
    if (video !== leader || leader.paused || leader.seeking || !leader.duration) return;
    const slider = box.querySelector("[data-seek]");
    if (slider.dataset.held) return;
    const part = leader.currentTime / leader.duration;
    box.dataset.part = part;
    slider.value = part;
    // A tenth of a second is what an eye may notice.
    followers.forEach((follower) => {
      if (Math.abs(follower.currentTime - part * follower.duration) > 0.1) place(follower);
    });
  });
  const label = (video, box) => {
    const plays = twins(box).some((twin) => !twin.paused);
    box.querySelector("[data-play]").textContent = plays ? "Pause" : "Play";
    // At rest both show the same moment to the frame.
    if (!plays && box.dataset.part !== undefined) move(box, box.dataset.part);
  };
  onTwin("play", label);
  onTwin("pause", label);

  // How far each job is comes apart from the bars, which stay: a button that is taken away every
  // second can neither be pressed in peace nor reached with the keyboard.
  const text = (element, says) => {
    if (element.textContent !== says) element.textContent = says;
  };
  const draw = () => {
    const source = document.querySelector("[data-progress]");
    const now = source ? JSON.parse(source.dataset.progress) : {};
    document.querySelectorAll("[data-running]").forEach((box) => {
      const [percent, says] = now[box.dataset.running] || [];
      if (says === undefined) return;
      const bar = box.querySelector("[role=progressbar]");
      const known = percent !== null;
      bar.classList.toggle("tm-unknown", !known);
      if (known) bar.setAttribute("aria-valuenow", percent);
      else bar.removeAttribute("aria-valuenow");
      bar.firstElementChild.style.width = known ? `${percent}%` : "";
      text(box.querySelector(".tm-facts"), says);
    });
    const shots = document.querySelector("[data-previews]");
    const seen = shots ? JSON.parse(shots.dataset.previews) : {};
    document.querySelectorAll("[data-running]").forEach((box) => {
      const [address, reason] = seen[box.dataset.running] || ["", ""];
      const frame = box.querySelector(".tm-preview");
      // The last one stays until there is a newer one: a gap would make the page jump.
      if (address) {
        const picture = frame.firstElementChild || document.createElement("img");
        picture.alt = frame.dataset.alt;
        if (picture.src !== address) picture.src = address;
        if (!picture.isConnected) frame.append(picture);
        frame.hidden = false;
      }
      const line = box.querySelector(".tm-no-preview");
      text(line, reason);
      line.hidden = !reason;
    });
  };

  // Their label says less than they show: without it they are called what stands on them.
  const named = ".upload-container[aria-label]";
  const formOf = (form) => form.querySelector("[data-form]")?.dataset.form;
  const open = (form) => {
    if (form?.inert && formOf(form) && formOf(form) !== form.dataset.leaves) form.inert = false;
  };
  // Who continues a video from below its form, as on a phone, would not see that the form changed.
  let continues = null;
  const showContinued = () => {
    const video = document.querySelector("#field-continued_video video");
    if (!continues || !video?.src.includes(encodeURIComponent(continues))) return;
    continues = null;
    const { top, bottom } = video.getBoundingClientRect();
    const bar = document.querySelector("#make-bar")?.getBoundingClientRect();
    const end = bar && bar.top > 0 ? Math.min(bar.top, innerHeight) : innerHeight;
    if (top < 0 || bottom > end) document.querySelector("#form").scrollIntoView();
  };
  // A draft is of the form that is seen, also before anything is entered.
  const begin = (mark) => {
    if (!mark || mark.dataset.begun) return;
    mark.dataset.begun = "yes";
    const about = JSON.parse(mark.dataset.draft);
    if (about.length) tiomagic.keep(...about);
  };
  // Where a default comes from is for those who point at it.
  const tell = (mark) => {
    if (!mark || mark.dataset.told) return;
    const tips = Object.entries(JSON.parse(mark.dataset.tips));
    const fields = tips.map(([name, tip]) => [document.getElementById(`field-${name}`), tip]);
    // The widgets of a new form come after its mark.
    if (fields.some(([field]) => !field)) return;
    fields.forEach(([field, tip]) => field.setAttribute("title", tip));
    mark.dataset.told = "yes";
  };
  new MutationObserver(() => {
    document.querySelectorAll(named).forEach((box) => box.removeAttribute("aria-label"));
    draw();
    tell(document.querySelector("#form [data-tips]"));
    begin(document.querySelector("#form [data-draft]"));
    unfold();
    showQuestion();
    showContinued();
    if (document.querySelector("[data-presets]:empty") && Object.keys(presets()).length) showPresets();
    open(document.querySelector("#form"));
  }).observe(document, { childList: true, subtree: true, attributeFilter: ["aria-label"] });

  // As in other programs: Ctrl and Enter sends, Shift and Enter is a new line.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || !within(event, "#form")) return;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        event.stopImmediatePropagation();
        document.querySelector("#make")?.click();
      }
    },
    true,
  );
  document.addEventListener(
    "keypress",
    (event) => {
      // Gradio would send the form.
      if (event.key === "Enter" && event.shiftKey && within(event, "#form textarea"))
        event.stopImmediatePropagation();
    },
    true,
  );

  // The number beside a slider may be typed: it goes to the nearest one that the slider can stand on,
  // and a line below it says so until the slider moves again.
  const correct = (block, says) => {
    let line = block?.querySelector(".tm-corrected");
    if (!says) {
      line?.remove();
      return;
    }
    if (!line) {
      line = document.createElement("p");
      line.className = "tm-corrected";
      line.setAttribute("role", "status");
      block.append(line);
    }
    text(line, says);
  };
  document.addEventListener("change", (event) => {
    const number = within(event, "#form input[type=number]");
    const range = number?.closest(".block")?.querySelector("input[type=range]");
    if (!range || number.value === "") return;
    const [low, high, step] = [range.min, range.max, range.step].map(Number);
    const digits = (range.step.split(".")[1] || "").length;
    const inside = Math.min(high, Math.max(low, Number(number.value)));
    const last = Math.floor((high - low) / step + 1e-9);
    const legal = low + Math.min(last, Math.round((inside - low) / step)) * step;
    const nearest = String(Number(legal.toFixed(digits)));
    const isLegal = Number(nearest) === Number(number.value);
    const says = `${number.value} is not possible here: ${nearest} is the nearest.`;
    correct(number.closest(".block"), isLegal ? "" : says);
    if (nearest === number.value) return;
    number.value = nearest;
    number.dispatchEvent(new Event("input", { bubbles: true }));
  });

  document.addEventListener("input", (event) => {
    const range = within(event, "#form input[type=range]");
    if (range) correct(range.closest(".block"), "");
  });

  // What was entered is kept by the browser: first what this tab has, then what any had last.
  // Only what the user chose: a default belongs to its model, and would be sent for another one.
  const DRAFT = "tiomagic-chosen";
  // Beside it what holds for every form: what a run may cost, and where else it may run.
  const WANTED = "tiomagic-wanted";
  // The server refuses a message that is too large, and a page that cannot send its draft never opens.
  const LONGEST = 20000;
  const LARGEST = 500000;
  const read = (draft) => {
    try {
      return JSON.parse(draft).values || {};
    } catch {
      return {}; // Of another version, or of nobody: the form starts anew.
    }
  };
  // Forms that the user gave a name, in this browser.
  const PRESETS = "tiomagic-presets";
  const MOST_PRESETS = 30;
  const presets = () => {
    try {
      return JSON.parse(localStorage.getItem(PRESETS)) || {};
    } catch {
      return {};
    }
  };
  const keepPresets = (all) => {
    try {
      localStorage.setItem(PRESETS, JSON.stringify(all));
    } catch {
      // The browser has no room: the preset is not kept.
    }
    showPresets();
  };
  const preset = (name) => {
    const box = document.createElement("span");
    const use = document.createElement("button");
    const remove = document.createElement("button");
    box.className = "tm-preset";
    use.type = remove.type = "button";
    use.className = "tm-chip";
    use.dataset.preset = use.textContent = name;
    remove.className = "tm-chip";
    remove.dataset.forget = name;
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Remove the preset ${name}`);
    box.append(use, remove);
    return box;
  };
  const showPresets = () => {
    const place = document.querySelector("[data-presets]");
    if (place) place.replaceChildren(...Object.keys(presets()).map(preset));
  };
  document.addEventListener("submit", (event) => {
    const form = within(event, "[data-save-preset]");
    if (!form) return;
    event.preventDefault();
    const [name] = form.querySelectorAll("input");
    const all = { ...presets(), [name.value.trim()]: tiomagic.kept() };
    keepPresets(Object.fromEntries(Object.entries(all).slice(-MOST_PRESETS)));
    name.value = "";
  });
  document.addEventListener("click", (event) => {
    const button = within(event, "[data-forget]");
    if (!button) return;
    const { [button.dataset.forget]: gone, ...rest } = presets();
    keepPresets(rest);
  });

  // A video that is dropped anywhere else than on a field of the form gives its settings.
  const holdsFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (holdsFile(event) && !within(event, "#form")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const input = document.querySelector("#recipe-file");
    if (!holdsFile(event) || within(event, "#form") || !input) return;
    event.preventDefault();
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // Cards come anew whenever a job changes: what was unfolded in one stays so.
  const unfolded = new Set();
  const cardOf = (element) => element.closest("[data-card]")?.dataset.card;
  document.addEventListener(
    "toggle",
    (event) => {
      if (!within(event, ".tm-more")) return;
      if (event.target.open) unfolded.add(cardOf(event.target));
      else unfolded.delete(cardOf(event.target));
    },
    true,
  );
  const unfold = () =>
    document.querySelectorAll(".tm-more:not([data-seen])").forEach((rest) => {
      rest.dataset.seen = "yes";
      rest.open = unfolded.has(cardOf(rest));
    });

  // Tags and note of a job are written in a dialog beside the cards, which come anew meanwhile.
  document.addEventListener("click", (event) => {
    const button = within(event, "[data-edit]");
    const dialog = document.querySelector("#labels");
    if (!button || !dialog) return;
    dialog.querySelector("[data-about]").textContent = button.dataset.about;
    dialog.querySelector("[data-action=label]").dataset.job = button.dataset.edit;
    dialog.querySelector("[name=tags]").value = button.dataset.tags;
    dialog.querySelector("[name=note]").value = button.dataset.note;
    dialog.showModal();
  });

  window.tiomagic = {
    keep(choice, names, resting, entered) {
      const rests = (value, at) => (value ?? "") === (resting[at] ?? "");
      const now = Object.fromEntries(
        names.map((name, at) => [name, rests(entered[at], at) ? null : entered[at]]),
      );
      // Pictures that the next model has no use for may be wanted by the one after it.
      const values = Object.fromEntries(
        Object.entries({ ...read(this.kept()), ...now }).filter(
          ([, value]) => value !== null && (typeof value !== "string" || value.length <= LONGEST),
        ),
      );
      const draft = JSON.stringify({ choice, values });
      try {
        sessionStorage.setItem(DRAFT, draft);
        localStorage.setItem(DRAFT, draft);
      } catch {
        // The browser has no room, or keeps nothing: a reload finds an empty form.
      }
    },
    // What is typed into a form that is about to be replaced would be gone: it is closed until then.
    leave() {
      const form = document.querySelector("#form");
      form.dataset.leaves = formOf(form);
      form.inert = true;
      setTimeout(() => (form.inert = false), 20000); // The server may be gone.
    },
    choosing(chosen) {
      const [provider, feature, , before] = chosen;
      const mark = document.querySelector("#form [data-form]");
      const now = mark && mark.dataset.choice.split(" ").slice(0, 2).join(" ");
      if (mark && now !== [provider, feature].join(" ")) this.leave();
      return [provider, feature, this.kept(), before];
    },
    // A button that fills the form, such as a sample: what was entered goes along.
    filling(before) {
      this.leave();
      return [this.kept(), before];
    },
    // A video to continue, or a loop, takes the place of a picture: the form comes anew without it.
    // Returns what the server is sent: the draft, or nothing while the form has the right fields.
    reshaping(shot, choice, names, resting, entered) {
      const at = (name) => entered[names.indexOf(name)];
      const goesOn = at("continued_video") || (at("continued_video_url") || "").trim();
      const now = goesOn ? "continuation" : at("loop") === true ? "loop" : "single";
      if (now === shot) return ["", null, ...entered];
      this.keep(choice, names, resting, entered);
      this.leave();
      return [this.kept(), null, ...entered];
    },
    // What a button tells the server: its action, what it is about, and what stands beside it.
    press(button) {
      const told = { action: button.dataset.action, job: button.dataset.job };
      if (told.action === "continue") continues = told.job;
      const form = button.closest(".tm-dialog form");
      return form ? { ...told, tags: form.tags.value, note: form.note.value } : told;
    },
    usePreset(name) {
      const draft = presets()[name];
      if (draft) sessionStorage.setItem(DRAFT, draft);
      return Boolean(draft);
    },
    kept() {
      const draft = sessionStorage.getItem(DRAFT) || localStorage.getItem(DRAFT) || "";
      return draft.length > LARGEST ? "" : draft;
    },
    keepWanted(name, entered) {
      const wanted = JSON.stringify({ ...JSON.parse(this.wanted() || "{}"), [name]: entered });
      try {
        sessionStorage.setItem(WANTED, wanted);
        localStorage.setItem(WANTED, wanted);
      } catch {
        // The browser keeps nothing: a reload finds what the settings say.
      }
    },
    wanted: () => sessionStorage.getItem(WANTED) || localStorage.getItem(WANTED) || "",
    sending: (busy) => document.querySelector("#make")?.setAttribute("aria-busy", busy),
    sent() {
      this.sending(false);
      setTimeout(() => {
        const problem = document.querySelector(".tm-problem");
        const side = document.querySelector(".tm-side").getBoundingClientRect();
        const below = side.top >= document.querySelector("#form").getBoundingClientRect().bottom;
        if (problem) problem.scrollIntoView({ block: "center" });
        // Below a form, as on a phone, nobody would see that the video is being made.
        else if (below) document.querySelector(".tm-side").scrollIntoView();
      }, 100);
    },
  };

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
