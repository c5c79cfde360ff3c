"""What ipykernel calls on contents of messages. Ours are cleaned where they are packed."""


def json_clean(obj):
    return obj


def encode_images(format_dict):
    return format_dict
