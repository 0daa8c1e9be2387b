#!/usr/bin/env python3
"""An adapter outside of Postroom, in a hundred lines and without a library: a fax machine that is a folder.

    outside_adapter.py HOST:PORT USER PASSWORD WORKSPACE CHANNEL FOLDER

Each file in FOLDER/in is a fax that came, named by its id; it goes to FOLDER/taken once Postroom has it.
Each reply is laid into FOLDER/out as ID.json. A text that holds "busy" cannot be sent; its receipt says so.
docs/adapters.md explains what is done here and why.
"""

import json
import os
import secrets
import socket
import sys


class Nats:
    """As much of the NATS protocol as an adapter needs. Whatever goes wrong ends the program: start it again."""

    def __init__(self, address, user, password, inbox):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.file = self.socket.makefile("rb")
        self.inbox = inbox
        self.line()  # INFO
        options = {"verbose": False, "pedantic": False, "headers": True, "user": user, "pass": password}
        self.write(f"CONNECT {json.dumps(options)}\r\nSUB {inbox}.> 1\r\n".encode())

    def write(self, data):
        self.socket.sendall(data)

    def line(self):
        line = self.file.readline().decode().strip()
        if not line:
            raise SystemExit("the server hung up")
        return line

    def publish(self, subject, body, reply="", headers=None):
        lines = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()) + "\r\n"
        head, body = lines.encode(), body if isinstance(body, bytes) else body.encode()
        sizes = f"{len(head)} {len(head) + len(body)}"
        self.write(f"HPUB {subject} {reply} {sizes}\r\n".encode() + head + body + b"\r\n")

    def next(self):
        """The next message: the subject it came on, where to answer, its headers, its body."""
        while True:
            words = self.line().split()
            if words[0] == "PING":
                self.write(b"PONG\r\n")
            elif words[0] == "-ERR":
                raise SystemExit(" ".join(words))
            elif words[0] in ("MSG", "HMSG"):
                total = int(words[-1])
                head = int(words[-2]) if words[0] == "HMSG" else 0
                data = self.file.read(total + 2)[:total]
                plain = words[3:-2] if words[0] == "HMSG" else words[3:-1]
                return words[1], plain[0] if plain else "", data[:head].decode(), data[head:]

    def request(self, subject, body, headers=None):
        """Publishes and waits for the answer to it; a message of a stream comes under its own subject."""
        answer = f"{self.inbox}.{secrets.token_hex(8)}"
        self.publish(subject, body, answer, headers)
        while True:
            came, reply, head, data = self.next()
            if came == answer or reply.startswith("$JS.ACK."):
                return reply, head, data


class Adapter:
    def __init__(self, nats, workspace, channel, folder):
        self.nats, self.workspace, self.channel, self.folder = nats, workspace, channel, folder
        for name in ("in", "taken", "out"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    def tell(self, kind, name, body):
        """Publishes an input. When this returns it is on the disk of the bus, and only then is it acknowledged."""
        headers = {
            "Nats-Msg-Id": f"{self.channel}.{kind}.{name}",
            "ce-specversion": "1.0", "ce-id": name, "ce-type": f"fax.{kind}.v1", "ce-source": "/fax",
        }
        body = json.dumps({"kind": kind, "body": {"channel": self.channel, **body}})
        _, _, ack = self.nats.request(f"postroom.{self.workspace}.in.{self.channel}", body, headers)
        if "error" in json.loads(ack):
            raise SystemExit(ack.decode())

    def take_in(self):
        for name in sorted(os.listdir(os.path.join(self.folder, "in"))):
            path = os.path.join(self.folder, "in", name)
            with open(path, encoding="utf-8") as file:
                sender, text = file.read().split("\n", 1)
            party = {"address": f"tel:{sender}", "name": sender}
            message = {"kind": "text", "external_id": name, "thread": sender, "from": party, "text": text}
            self.tell("inbound", name, {"message": message})
            os.rename(path, os.path.join(self.folder, "taken", name))

    def send_one(self):
        """Waits a moment for a reply, and sends it."""
        stream = f"POSTROOM_{self.workspace}_OUT"
        pull = json.dumps({"batch": 1, "expires": 500_000_000})
        reply, head, data = self.nats.request(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self.channel}", pull)
        if not reply:
            return  # a status: there is nothing now
        answer = json.loads(data)
        path = os.path.join(self.folder, "out", f"{answer['id']}.json")
        status, code = "sent", None
        if "busy" in answer.get("text", ""):
            status, code = "failed", "line_busy"
        elif not os.path.exists(path):  # given once more: it has left already
            with open(path + ".part", "w", encoding="utf-8") as file:
                json.dump(answer, file)
            os.rename(path + ".part", path)
        receipt = {"external_id": answer["id"], "status": status, "code": code}
        self.tell("receipt", f"{answer['id']}.{answer['attempt']}.{status}", {"receipt": receipt})
        self.nats.publish(reply, "+ACK")


def main():
    address, user, password, workspace, channel, folder = sys.argv[1:]
    nats = Nats(address, user, password, f"_INBOX_{channel}.{secrets.token_hex(8)}")
    adapter = Adapter(nats, workspace, channel, folder)
    while True:
        adapter.take_in()
        adapter.send_one()


if __name__ == "__main__":
    main()
