"""``tiomagic serve webhooks``: who gets messages, their secrets, and what became of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiomagic.cli._output import Output
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.redaction import redact
from tiomagic_domain.suggestions import did_you_mean, shorten_repr

if TYPE_CHECKING:
    from tiomagic import TioMagic
    from tiomagic_domain.ports.deliveries import Delivery

MOST_SHOWN: Final = 50
"""How many messages are shown."""
OWN: Final = "(no key)"
"""Stands for the name of the server's own receiver."""


def manage_webhooks(
    output: Output, server: Any, tm: TioMagic, action: str, name: str | None, url: str | None
) -> None:
    """List, add, rotate or remove receivers, or show the newest messages.

    Args:
        output: Where it is said.
        server: The module ``tiomagic_server.serving``.
        tm: With the state folder and the job store.
        action: The word of the command.
        name: Of a key; None for the server's own receiver.
        url: With ``add``: where messages about all jobs go. A receiver that is there already gets
            it in place of its address before.
    """
    receivers = server.WebhookReceivers(tm.settings.state_dir)
    match action:
        case "list":
            _list_receivers(output, receivers)
        case "log":
            _show_log(output, server.find_deliveries(tm).list(MOST_SHOWN, receiver=name))
        case "add":
            _require_key(server.ClientKeys(tm.settings.state_dir), name)
            if url is not None and receivers.find(name) is not None:
                receivers.move(name or "", url)
                said = f"the webhooks of {name or 'the server'} go to {redact(url)}"
                output.data({"name": name, "url": redact(url)}, said)
                output.say("Their secret stays.")
                return
            _show_secret(output, name, receivers.add(name or "", url))
        case "rotate":
            _show_secret(output, name, receivers.rotate(name or ""))
            output.say("The secret before signs as well for 24 hours.")
        case _:
            receivers.remove(name or "")
            said = f"the webhooks of {name or 'the server'} are removed"
            output.data({"removed": name}, said)


def _require_key(keys: Any, name: str | None) -> None:
    """Raise unless a name is that of a key."""
    names = [one.name for one in keys.list()]
    if name is None or name in names:
        return
    message = f"there is no key of this name.{did_you_mean(name, names)}"
    problem = Problem(field="name", message=message, given=shorten_repr(name))
    raise ValidationError.of([problem], subject="a webhook")


def _show_secret(output: Output, name: str | None, secret: str) -> None:
    output.data({"name": name, "secret": secret}, secret)
    output.say("Give it to the receiver: it cannot be shown again.")


def _list_receivers(output: Output, receivers: Any) -> None:
    rows = [(one.name or OWN, redact(one.url or ""), one.created) for one in receivers.list()]
    plain = [{"name": name, "url": url or None, "created": made} for name, url, made in rows]
    output.table(plain, ["name", "address", "secret of"], rows)


def _show_log(output: Output, deliveries: list[Delivery]) -> None:
    rows = [
        (
            one.created_at.isoformat(timespec="seconds"),
            one.job_id,
            one.event or "",
            one.state.value,
            str(one.attempts),
            # The rest of the address may be a secret of the receiver.
            one.host,
            one.trouble,
        )
        for one in deliveries
    ]
    plain = [
        {
            "webhook_id": one.webhook_id,
            "job_id": one.job_id,
            "receiver": one.receiver,
            "host": one.host,
            "event": one.event,
            "state": one.state.value,
            "attempts": one.attempts,
            "answer": one.answer,
            "trouble": one.trouble,
            "created_at": one.created_at.isoformat(),
            "next_at": None if one.state.is_settled else one.next_at.isoformat(),
            "settled_at": one.settled_at.isoformat() if one.settled_at else None,
        }
        for one in deliveries
    ]
    columns = ["made", "job", "event", "state", "attempts", "receiver", "trouble"]
    output.table(plain, columns, rows)
