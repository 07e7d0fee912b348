"""Facts about Windows events as tables: channels, what event ids mean, which data field says what in ECS."""

from __future__ import annotations

from typing import Final

#: channel, lower case -> what stands behind `windows.` in event.dataset; other channels stand there themselves
DATASETS: Final = {
    "microsoft-windows-sysmon/operational": "sysmon",
    "security": "security",
    "system": "system",
    "application": "application",
    "windows powershell": "powershell",
    "microsoft-windows-powershell/operational": "powershell",
    "powershellcore/operational": "powershell",
    "microsoft-windows-windows defender/operational": "defender",
    "microsoft-windows-taskscheduler/operational": "taskscheduler",
    "microsoft-windows-wmi-activity/operational": "wmi",
    "microsoft-windows-dns-client/operational": "dns-client",
}

#: provider, lower case -> dataset, for events without a channel
PROVIDERS: Final = {
    "microsoft-windows-sysmon": "sysmon",
    "microsoft-windows-security-auditing": "security",
    "microsoft-windows-powershell": "powershell",
    "powershell": "powershell",
    "service control manager": "system",
}

LEVELS: Final = {
    "0": "information",  # "log always"
    "1": "critical",
    "2": "error",
    "3": "warning",
    "4": "information",
    "5": "verbose",
}

#: bits of System/Keywords (winmeta.h: WINEVENT_KEYWORD_AUDIT_FAILURE, _SUCCESS)
AUDIT_FAILURE: Final = 0x10000000000000
AUDIT_SUCCESS: Final = 0x20000000000000

#: (dataset, event id) -> event.action, event.category
MEANINGS: Final = {
    ("sysmon", "1"): ("process-created", "process"),
    ("sysmon", "2"): ("file-creation-time-changed", "file"),
    ("sysmon", "3"): ("network-connection", "network"),
    ("sysmon", "5"): ("process-terminated", "process"),
    ("sysmon", "6"): ("driver-loaded", "driver"),
    ("sysmon", "7"): ("image-loaded", "library"),
    ("sysmon", "8"): ("remote-thread-created", "process"),
    ("sysmon", "9"): ("raw-access-read", "file"),
    ("sysmon", "10"): ("process-accessed", "process"),
    ("sysmon", "11"): ("file-created", "file"),
    ("sysmon", "12"): ("registry-object-changed", "registry"),
    ("sysmon", "13"): ("registry-value-set", "registry"),
    ("sysmon", "14"): ("registry-object-renamed", "registry"),
    ("sysmon", "15"): ("file-stream-created", "file"),
    ("sysmon", "16"): ("sysmon-config-changed", "configuration"),
    ("sysmon", "17"): ("pipe-created", "file"),
    ("sysmon", "18"): ("pipe-connected", "file"),
    ("sysmon", "19"): ("wmi-filter-registered", "configuration"),
    ("sysmon", "20"): ("wmi-consumer-registered", "configuration"),
    ("sysmon", "21"): ("wmi-consumer-bound", "configuration"),
    ("sysmon", "22"): ("dns-query", "network"),
    ("sysmon", "23"): ("file-deleted", "file"),
    ("sysmon", "25"): ("process-tampered", "process"),
    ("sysmon", "26"): ("file-deleted", "file"),
    ("sysmon", "27"): ("executable-blocked", "file"),
    ("sysmon", "28"): ("shredding-blocked", "file"),
    ("sysmon", "29"): ("executable-created", "file"),
    ("security", "1102"): ("audit-log-cleared", "iam"),
    ("security", "4624"): ("logged-in", "authentication"),
    ("security", "4625"): ("logon-failed", "authentication"),
    ("security", "4634"): ("logged-out", "authentication"),
    ("security", "4647"): ("logged-out", "authentication"),
    ("security", "4648"): ("logged-in-explicit", "authentication"),
    ("security", "4656"): ("object-handle-requested", "file"),
    ("security", "4657"): ("registry-value-modified", "registry"),
    ("security", "4663"): ("object-accessed", "file"),
    ("security", "4672"): ("special-privileges-assigned", "iam"),
    ("security", "4688"): ("process-created", "process"),
    ("security", "4689"): ("process-terminated", "process"),
    ("security", "4697"): ("service-installed", "configuration"),
    ("security", "4698"): ("scheduled-task-created", "configuration"),
    ("security", "4699"): ("scheduled-task-deleted", "configuration"),
    ("security", "4700"): ("scheduled-task-enabled", "configuration"),
    ("security", "4701"): ("scheduled-task-disabled", "configuration"),
    ("security", "4702"): ("scheduled-task-updated", "configuration"),
    ("security", "4719"): ("audit-policy-changed", "configuration"),
    ("security", "4720"): ("user-account-created", "iam"),
    ("security", "4722"): ("user-account-enabled", "iam"),
    ("security", "4723"): ("password-changed", "iam"),
    ("security", "4724"): ("password-reset", "iam"),
    ("security", "4725"): ("user-account-disabled", "iam"),
    ("security", "4726"): ("user-account-deleted", "iam"),
    ("security", "4728"): ("member-added-to-group", "iam"),
    ("security", "4729"): ("member-removed-from-group", "iam"),
    ("security", "4732"): ("member-added-to-group", "iam"),
    ("security", "4733"): ("member-removed-from-group", "iam"),
    ("security", "4738"): ("user-account-changed", "iam"),
    ("security", "4740"): ("user-account-locked-out", "iam"),
    ("security", "4756"): ("member-added-to-group", "iam"),
    ("security", "4757"): ("member-removed-from-group", "iam"),
    ("security", "4767"): ("user-account-unlocked", "iam"),
    ("security", "4768"): ("kerberos-ticket-requested", "authentication"),
    ("security", "4769"): ("kerberos-service-ticket-requested", "authentication"),
    ("security", "4771"): ("kerberos-preauthentication-failed", "authentication"),
    ("security", "4776"): ("credential-validated", "authentication"),
    ("security", "4778"): ("session-reconnected", "session"),
    ("security", "4779"): ("session-disconnected", "session"),
    ("security", "5136"): ("directory-object-modified", "iam"),
    ("security", "5140"): ("network-share-accessed", "network"),
    ("security", "5145"): ("network-share-object-checked", "network"),
    ("security", "5156"): ("network-connection", "network"),
    ("security", "5157"): ("network-connection-blocked", "network"),
    ("system", "104"): ("event-log-cleared", "configuration"),
    ("system", "7045"): ("service-installed", "configuration"),
    ("powershell", "400"): ("engine-started", "process"),
    ("powershell", "800"): ("pipeline-executed", "process"),
    ("powershell", "4103"): ("pipeline-executed", "process"),
    ("powershell", "4104"): ("script-block-logged", "process"),
    ("defender", "1116"): ("malware-detected", "malware"),
    ("defender", "1117"): ("malware-acted-on", "malware"),
    ("defender", "5001"): ("protection-disabled", "configuration"),
    ("defender", "5007"): ("defender-config-changed", "configuration"),
}

#: Security events whose user is the one that is logged on, not the one that reports it
ABOUT_TARGET: Final = frozenset(("4624", "4625", "4634", "4647", "4768", "4769", "4770", "4771", "4776"))

#: name, domain, SID of an account, as data fields
SUBJECT: Final = ("SubjectUserName", "SubjectDomainName", "SubjectUserSid")
TARGET: Final = ("TargetUserName", "TargetDomainName", "TargetUserSid")
ACCOUNT: Final = ("AccountName", "AccountDomain", "")  # 4778, 4779
LOGGER: Final = ("AccountName", "Domain", "UserID")  # NXLog: the account that logged the event
#: Security events whose data field ProcessID is a process; elsewhere a flat event's ProcessID is the logging one
FILTERING: Final = frozenset(("5150", "5151", "5152", "5153", "5154", "5155", "5156", "5157", "5158", "5159"))

#: (ECS object, ECS field, how the value is read, the data fields that may hold it: the first that does counts)
FIELDS: Final = (
    ("process", "executable", "path", ("Image", "NewProcessName", "ProcessName", "SourceImage", "Application")),
    ("process", "command_line", "text", ("CommandLine", "ProcessCommandLine")),
    ("process", "pid", "number", ("NewProcessId", "ProcessId", "SourceProcessId")),
    ("process.parent", "executable", "text", ("ParentImage", "ParentProcessName")),
    ("process.parent", "command_line", "text", ("ParentCommandLine",)),
    ("process.parent", "pid", "number", ("ParentProcessId",)),
    ("file", "path", "path", ("TargetFilename", "ImageLoaded", "FullFilePath", "FilePath")),
    ("file", "hash", "hashes", ("Hashes",)),
    ("source", "ip", "address", ("SourceIp", "SourceAddress", "IpAddress", "ClientAddress")),
    ("source", "port", "port", ("SourcePort", "IpPort")),
    ("destination", "ip", "address", ("DestinationIp", "DestAddress")),
    ("destination", "port", "port", ("DestinationPort", "DestPort")),
    ("destination", "domain", "text", ("DestinationHostname",)),
    ("dns", "question", "question", ("QueryName",)),
)

#: network.transport by IANA number
TRANSPORTS: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "tcp": "tcp", "udp": "udp"}
