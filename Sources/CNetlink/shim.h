// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <netlink/genl/genl.h>
