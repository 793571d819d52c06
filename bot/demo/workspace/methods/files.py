"""files.*: the two calls around an upload."""

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.errors import Refusal, invalid_arguments
from bot.demo.workspace.methods import method, visible_channel
from bot.demo.workspace.methods.chat import content_of
from bot.demo.workspace.state import BOT_USER, Channel, File, Json


@method("files.getUploadURLExternal", "files:write")
def get_upload_url(core: Core, args: Arguments) -> Json:
    name = args.required("filename")
    length = args.number("length", 0, least=0, most=1_000_000_000)
    if not length:
        raise invalid_arguments("missing required field: length")
    file = File(id=core.state.next_id("F"), name=name, length=length, created=int(core.clock().timestamp()))
    core.state.files[file.id] = file
    return {"upload_url": f"{core.origin}/upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", "files:write")
def complete_upload(core: Core, args: Arguments) -> Json:
    given = args.structure("files", list, "invalid_arguments")
    if not given:
        raise invalid_arguments("missing required field: files")
    files = [_received(core, each) for each in given]
    channels = args.names("channels") or args.names("channel_id")
    for channel in [_shareable(core, each) for each in channels]:
        _share(core, channel, files, args)
    return {"files": [payloads.file_json(core.state, file) for file in files]}


def _received(core: Core, given: object) -> File:
    if not isinstance(given, dict):
        raise invalid_arguments("must be an object [json-pointer:/files/0]")
    file = core.state.files.get(str(given.get("id")))
    if file is None or file.content is None:
        raise Refusal("file_not_found")
    file.title = str(given.get("title") or file.name)
    return file


def _shareable(core: Core, channel_id: str) -> Channel:
    channel = visible_channel(core, channel_id)
    if channel.is_archived:
        raise Refusal("is_archived")
    # Unlike a message, a file cannot be shared into a public channel from outside it.
    if BOT_USER not in channel.members:
        raise Refusal("not_in_channel")
    return channel


def _share(core: Core, channel: Channel, files: list[File], args: Arguments) -> None:
    thread_ts = args.text("thread_ts")
    if thread_ts and core.state.message(channel.id, thread_ts) is None:
        raise Refusal("thread_not_found")
    blocks = content_of(args).get("blocks", [])
    for file in files:
        file.channels.append(channel.id)
    core.post(
        core.bot_message(
            channel.id,
            args.text("initial_comment"),
            thread_ts=thread_ts,
            blocks=blocks,
            files=[file.id for file in files],
        )
    )
