# SPDX-License-Identifier: Apache-2.0
"""Drives the daemon with PyPI's varlink: varlink_client.py SOCKET LOGIN OUTPUT. LOGIN is a LoginRequest as JSON.

Writes an object with what each call answered to OUTPUT.
"""
import json
import sys

import varlink

INTERFACE = "io.iscsi-admin.Initiator"


def failure_of(call, **arguments):
    """Name and parameters of the error that a call must end with."""
    try:
        call(**arguments)
    except varlink.VarlinkError as error:
        return {"name": error.error(), "parameters": error.parameters()}
    raise SystemExit("a call that must fail did not")


def main(path, login, output):
    told = {}
    with varlink.Client.new_with_address("unix:" + path) as client:
        with client.open("org.varlink.service") as service:
            told["info"] = service.GetInfo()
        told["members"] = list(client.get_interface(INTERFACE).members)
        with client.open(INTERFACE) as initiator:
            told["ping"] = initiator.Ping()
            replies = list(initiator.Login([login], label="python", _more=True))
            told["steps"] = [reply["progress"]["step"] for reply in replies[:-1]]
            told["login"] = replies[-1]["results"]
            told["unknown"] = failure_of(initiator.GetSession, session=4711)
            told["malformed"] = failure_of(initiator.Discover, portal="a portal")
        with client.open(INTERFACE) as monitor:
            # The first event of a stream without end.
            told["event"] = next(iter(monitor.Monitor(after=0, _more=True)))["event"]
        with client.open(INTERFACE) as initiator:
            session = told["login"][0]["session"]["session"]
            told["logout"] = initiator.Logout([session])["results"]
            told["shutdown"] = initiator.Shutdown()
    with open(output, "w") as file:
        json.dump(told, file)


main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])
