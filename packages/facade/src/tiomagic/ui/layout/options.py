"""Options and scripts of events."""

from __future__ import annotations

from typing import Any, Final

CLICK_SCRIPT: Final = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (button) trigger('click', tiomagic.press(button));
});
"""
"""Reports the pressed button to the page, with what it is about."""
START_SCRIPT: Final = f"""
{CLICK_SCRIPT}
element.addEventListener('click', (event) => {{
  const preset = event.target.closest('[data-preset]');
  if (preset && tiomagic.usePreset(preset.dataset.preset)) trigger('click', {{action: 'draft'}});
}});
element.addEventListener('change', async (event) => {{
  const [file] = event.target.files || [];
  if (!file) return;
  const box = event.target.closest('.tm-drop');
  box.setAttribute('aria-busy', 'true');
  try {{
    const {{ path }} = await upload(file);
    trigger('click', {{action: 'recipe', job: path}});
  }} finally {{
    box.removeAttribute('aria-busy');
    event.target.value = '';
  }}
}});
"""
"""The same, and sends a dropped video, or the name of a preset."""
EVENT_OPTIONS: Final[dict[str, Any]] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "preprocess": False,
}
"""Options of every event: no loading overlay, no public API endpoint, and no preprocessing by
Gradio, because ``browser_input`` validates all input."""
CLICK_OPTIONS: Final[dict[str, Any]] = {**EVENT_OPTIONS, "trigger_mode": "multiple"}
"""The same for buttons: a press during the previous one's answer is queued, not dropped."""
NEWEST_OPTIONS: Final[dict[str, Any]] = {**EVENT_OPTIONS, "trigger_mode": "always_last"}
"""The same for what follows typing: of several changes, the last one counts."""
