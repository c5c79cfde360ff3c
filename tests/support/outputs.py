"""The hash of a saved cell's outputs as docs/audit-log.md describes it, written a second time: whoever wants to check a
notebook without Cellblock can."""

import hashlib
import struct


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def joined(value, between=""):
    return between.join(value) if isinstance(value, list) else value


def canonical(value):
    if isinstance(value, dict):
        return "{" + "".join(canonical(key) + canonical(item) for key, item in
                             sorted(value.items(), key=lambda entry: entry[0].encode())) + "}"
    if isinstance(value, list):
        return "[" + "".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return f"s{len(value.encode())}:{value}"
    if value is None or isinstance(value, bool):
        return {None: "n", True: "t", False: "f"}[value]
    return "d" + struct.pack(">d", float(value) + 0.0).hex()


def is_text(mime, value):
    is_json = mime.startswith("application/") and (mime == "application/json" or mime.endswith("+json"))
    return not is_json and (isinstance(value, str) or isinstance(value, list) and all(isinstance(v, str) for v in value))


def body(output):
    if output["output_type"] == "stream":
        return sha(output["name"] + "\n" + joined(output["text"]))
    if output["output_type"] == "error":
        return sha(output["ename"] + "\n" + output["evalue"] + "\n" + joined(output["traceback"], "\n"))
    lines = [f"{sha(mime)} text {sha(joined(value))}\n" if is_text(mime, value) else
             f"{sha(mime)} json {sha(canonical(value))}\n"
             for mime, value in sorted(output["data"].items(), key=lambda entry: entry[0].encode())]
    return sha("".join(lines) + f"metadata json {sha(canonical(output.get('metadata', {})))}\n")


def outputs_sha256(outputs):
    merged = []
    for output in outputs:
        if merged and output["output_type"] == merged[-1]["output_type"] == "stream" and \
                output["name"] == merged[-1]["name"]:
            merged[-1] = {**merged[-1], "text": joined(merged[-1]["text"]) + joined(output["text"])}
        else:
            merged.append(output)
    return sha("".join(f"{output['output_type']} {body(output)}\n" for output in merged))
