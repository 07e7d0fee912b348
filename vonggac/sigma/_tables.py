"""Facts as tables: Windows channels and event ids by log source, Sigma field names by path."""

from __future__ import annotations

from typing import Final

#: channel, lower case -> Sigma service of product windows
SERVICES: Final = {
    "application": "application",
    "security": "security",
    "system": "system",
    "dns server": "dns-server",
    "msexchange management": "msexchange-management",
    "openssh/operational": "openssh",
    "powershellcore/operational": "powershell",
    "windows powershell": "powershell-classic",
    "microsoft-iis-configuration/operational": "iis-configuration",
    "microsoft-servicebus-client/admin": "microsoft-servicebus-client",
    "microsoft-servicebus-client/operational": "microsoft-servicebus-client",
    "microsoft-windows-application-experience/program-compatibility-assistant": "application-experience",
    "microsoft-windows-application-experience/program-telemetry": "application-experience",
    "microsoft-windows-applocker/exe and dll": "applocker",
    "microsoft-windows-applocker/msi and script": "applocker",
    "microsoft-windows-applocker/packaged app-deployment": "applocker",
    "microsoft-windows-applocker/packaged app-execution": "applocker",
    "microsoft-windows-appmodel-runtime/admin": "appmodel-runtime",
    "microsoft-windows-appxdeploymentserver/operational": "appxdeployment-server",
    "microsoft-windows-appxpackaging/operational": "appxpackaging-om",
    "microsoft-windows-bitlocker/bitlocker management": "bitlocker",
    "microsoft-windows-bits-client/operational": "bits-client",
    "microsoft-windows-capi2/operational": "capi2",
    "microsoft-windows-certificateservicesclient-lifecycle-system/operational": (
        "certificateservicesclient-lifecycle-system"
    ),
    "microsoft-windows-codeintegrity/operational": "codeintegrity-operational",
    "microsoft-windows-dhcp-server/operational": "dhcp",
    "microsoft-windows-diagnosis-scripted/operational": "diagnosis-scripted",
    "microsoft-windows-dns client events/operational": "dns-client",
    "microsoft-windows-dns-client/operational": "dns-client",
    "microsoft-windows-dns-server/analytical": "dns-server-analytic",
    "microsoft-windows-dnsserver/analytical": "dns-server-analytic",
    "microsoft-windows-dns-server/audit": "dns-server-audit",
    "microsoft-windows-dnsserver/audit": "dns-server-audit",
    "microsoft-windows-driverframeworks-usermode/operational": "driver-framework",
    "microsoft-windows-hyper-v-worker": "hyper-v-worker",
    "microsoft-windows-hyper-v-worker-admin": "hyper-v-worker",
    "microsoft-windows-kernel-eventtracing": "kernel-event-tracing",
    "microsoft-windows-kernel-eventtracing/admin": "kernel-event-tracing",
    "microsoft-windows-kernel-shimengine/diagnostic": "kernel-shimengine",
    "microsoft-windows-kernel-shimengine/operational": "kernel-shimengine",
    "microsoft-windows-ldap-client/debug": "ldap",
    "microsoft-windows-lsa/operational": "lsa-server",
    "microsoft-windows-ntfs/operational": "ntfs",
    "microsoft-windows-ntlm/operational": "ntlm",
    "microsoft-windows-powershell/operational": "powershell",
    "microsoft-windows-printservice/admin": "printservice-admin",
    "microsoft-windows-printservice/operational": "printservice-operational",
    "microsoft-windows-security-mitigations/kernel mode": "security-mitigations",
    "microsoft-windows-security-mitigations/kernelmode": "security-mitigations",
    "microsoft-windows-security-mitigations/user mode": "security-mitigations",
    "microsoft-windows-security-mitigations/usermode": "security-mitigations",
    "microsoft-windows-sense/operational": "sense",
    "microsoft-windows-shell-core/operational": "shell-core",
    "microsoft-windows-smbclient/connectivity": "smbclient-connectivity",
    "microsoft-windows-smbclient/security": "smbclient-security",
    "microsoft-windows-smbserver/connectivity": "smbserver-connectivity",
    "microsoft-windows-sysmon/operational": "sysmon",
    "microsoft-windows-taskscheduler/operational": "taskscheduler",
    "microsoft-windows-terminalservices-localsessionmanager/operational": "terminalservices-localsessionmanager",
    "microsoft-windows-vhdmp-operational": "vhdmp",
    "microsoft-windows-vhdmp/operational": "vhdmp",
    "microsoft-windows-windows defender/operational": "windefend",
    "microsoft-windows-windows firewall with advanced security/firewall": "firewall-as",
    "microsoft-windows-wmi-activity/operational": "wmi",
}

#: two names in use for one service: an event of the first belongs to the second too
ALSO: Final = {"microsoft-servicebus-client": "servicebus-client"}

#: provider, lower case -> the channel it writes to, for shippers that leave the channel out
CHANNELS: Final = {
    "microsoft-windows-security-auditing": "security",
    "microsoft-windows-sysmon": "microsoft-windows-sysmon/operational",
    "microsoft-windows-powershell": "microsoft-windows-powershell/operational",
    "powershellcore": "powershellcore/operational",
    "powershell": "windows powershell",
    "service control manager": "system",
    "microsoft-windows-windows defender": "microsoft-windows-windows defender/operational",
    "microsoft-windows-taskscheduler": "microsoft-windows-taskscheduler/operational",
    "microsoft-windows-wmi-activity": "microsoft-windows-wmi-activity/operational",
}

SYSMON: Final = {
    "1": ("process_creation",),
    "2": ("file_change",),
    "3": ("network_connection",),
    "4": ("sysmon_status",),
    "5": ("process_termination",),
    "6": ("driver_load",),
    "7": ("image_load",),
    "8": ("create_remote_thread",),
    "9": ("raw_access_thread",),
    "10": ("process_access",),
    "11": ("file_event",),
    "12": ("registry_event",),  # and registry_add or registry_delete, by EventType: REGISTRY
    "13": ("registry_event", "registry_set"),
    "14": ("registry_event", "registry_rename"),
    "15": ("create_stream_hash",),
    "16": ("sysmon_status",),
    "17": ("pipe_created",),
    "18": ("pipe_created",),
    "19": ("wmi_event",),
    "20": ("wmi_event",),
    "21": ("wmi_event",),
    "22": ("dns_query",),
    "23": ("file_delete",),
    "24": ("clipboard_capture", "clipboard_change"),  # the taxonomy's name and SigmaHQ's
    "25": ("process_tampering",),
    "26": ("file_delete_detected",),
    "27": ("file_block_executable",),
    "28": ("file_block_shredding",),
    "29": ("file_executable_detected",),
    "255": ("sysmon_error",),
}

#: EventType of Sysmon 12, lower case. NXLog's own EventType (INFO) says nothing: registry_event alone.
REGISTRY: Final = {
    "createkey": "registry_add",
    "deletekey": "registry_delete",
    "deletevalue": "registry_delete",
}

#: (service, event id) -> categories, outside Sysmon
CATEGORIES: Final = {
    ("security", "4688"): ("process_creation",),
    ("powershell", "4103"): ("ps_module",),
    ("powershell", "4104"): ("ps_script",),
    ("powershell-classic", "400"): ("ps_classic_start",),
    ("powershell-classic", "600"): ("ps_classic_provider_start",),
    ("powershell-classic", "800"): ("ps_classic_script",),
    # Defender's detections that carry a threat name or a path
    **{
        ("windefend", str(code)): ("antivirus",)
        for code in (1006, 1007, 1008, 1009, 1010, 1011, 1012, 1017, 1018, 1019, 1115, 1116)
    },
}

#: What SigmaHQ's windows rules name and no event log carries: such rules never fire, and this is why.
UNMAPPED: Final = {
    "file_access": "needs the ETW provider Microsoft-Windows-Kernel-File, which writes to no event log",
    "file_rename": "needs the ETW provider Microsoft-Windows-Kernel-File, which writes to no event log",
}

#: Sysmon for Linux, by event id
SYSMON_LINUX: Final = {
    "1": "process_creation",
    "3": "network_connection",
    "5": "process_termination",
    "9": "raw_access_thread",
    "11": "file_event",
    "23": "file_delete",
}

#: syslog tag, lower case -> Sigma service of product linux
PROGRAMS: Final = {
    "sshd": "sshd",
    "sshd-session": "sshd",
    "sudo": "sudo",
    "cron": "cron",
    "crond": "cron",
    "anacron": "cron",
    "crontab": "cron",
    "clamd": "clamav",
    "clamscan": "clamav",
    "clamav": "clamav",
    "freshclam": "clamav",
    "vsftpd": "vsftpd",
    "guacd": "guacamole",
    "guacamole": "guacamole",
    "auditd": "auditd",
    "audispd": "auditd",
}

#: programs that write to auth.log
AUTH_PROGRAMS: Final = frozenset(
    (
        "sshd",
        "sshd-session",
        "sudo",
        "su",
        "login",
        "passwd",
        "useradd",
        "userdel",
        "usermod",
        "groupadd",
        "groupmod",
        "chpasswd",
        "chsh",
        "doas",
        "pkexec",
        "polkitd",
        "systemd-logind",
        "gdm-password",
        "lightdm",
        "unix_chkpwd",
    )
)

#: alias -> field, by (service, event id): what the taxonomy calls by Sysmon's names
RENAMED: Final = {
    ("security", "4688"): {"Image": "NewProcessName", "ParentImage": "ParentProcessName"},
    ("windefend", ""): {"Signature": "ThreatName", "Filename": "Path"},
}

#: Sigma's name of a header field -> where shippers put it (first found counts)
WINLOGBEAT: Final = {
    "Channel": (("channel",), ("log_name",)),
    "Computer": (("computer_name",), ("computer",)),
    "Correlation_ActivityID": (("activity_id",),),
    "EventID": (("event_id",),),
    "EventRecordID": (("record_id",), ("record_number",)),
    "Execution_ProcessID": (("process", "pid"), ("process_id",)),
    "Execution_ThreadID": (("process", "thread", "id"), ("thread_id",)),
    "Keywords": (("keywords",),),
    "Level": (("level",),),
    "Opcode": (("opcode",),),
    "Provider_Guid": (("provider_guid",),),
    "Provider_Name": (("provider_name",), ("source_name",)),
    "Security_UserID": (("user", "identifier"),),
    "Task": (("task",),),
    "Version": (("version",),),
}
FLAT: Final = {
    "Channel": (("Channel",), ("channel",), ("log_name",)),
    "Computer": (("Computer",), ("Hostname",), ("ComputerName",), ("host",)),
    "Correlation_ActivityID": (("ActivityID",),),
    "EventID": (("EventID",), ("event_id",), ("EventId",), ("Id",)),
    "EventRecordID": (("EventRecordID",), ("RecordNumber",), ("RecordId",)),
    "Execution_ProcessID": (("ExecutionProcessID",),),
    "Execution_ThreadID": (("ThreadID",), ("ExecutionThreadID",)),
    "Keywords": (("Keywords",),),
    "Provider_Guid": (("ProviderGuid",),),
    "Provider_Name": (("SourceName",), ("ProviderName",), ("Provider",)),
    "Security_UserID": (("UserID",),),
}

#: Sigma's name -> paths in ECS, for events of every other kind; where several are named, each value counts
NAMES: Final = {
    # web server and proxy (W3C names)
    "c-ip": ("source.ip",),
    "c-uri": ("url.original",),
    "c-uri-query": ("url.query", "url.original"),
    "c-uri-stem": ("url.path",),
    "c-useragent": ("user_agent.original",),
    "cs(User-Agent)": ("user_agent.original",),
    "cs-bytes": ("source.bytes",),
    "cs-host": ("url.domain", "destination.domain"),
    "cs-method": ("http.request.method",),
    "cs-referer": ("http.request.referrer",),
    "cs-referrer": ("http.request.referrer",),
    "cs-uri": ("url.original",),
    "cs-uri-query": ("url.query", "url.original"),  # public rules look for paths here too
    "cs-uri-stem": ("url.path",),
    "cs-user-agent": ("user_agent.original",),
    "cs-username": ("user.name",),
    "cs-version": ("http.version",),
    "r-dns": ("url.domain", "destination.domain"),
    "s-computername": ("host.name",),
    "s-ip": ("destination.ip",),
    "s-port": ("destination.port",),
    "sc-bytes": ("http.response.bytes",),
    "sc-status": ("http.response.status_code",),
    # firewall, flows
    "action": ("event.action",),
    "dst_ip": ("destination.ip",),
    "dst_port": ("destination.port",),
    "src_ip": ("source.ip",),
    "src_port": ("source.port",),
    "username": ("user.name",),
    # dns
    "QueryName": ("dns.question.name",),
    "dns.response.code": ("dns.response_code",),
    "query": ("dns.question.name",),
    "qtype_name": ("dns.question.type",),
    "record_type": ("dns.question.type",),
    # processes, files, connections (Sysmon's names)
    "CommandLine": ("process.command_line",),
    "DestinationHostname": ("destination.domain",),
    "DestinationIp": ("destination.ip",),
    "DestinationPort": ("destination.port",),
    "Image": ("process.executable",),
    "ParentCommandLine": ("process.parent.command_line",),
    "ParentImage": ("process.parent.executable",),
    "ParentProcessId": ("process.parent.pid",),
    "ProcessId": ("process.pid",),
    "SourceIp": ("source.ip",),
    "SourcePort": ("source.port",),
    "TargetFilename": ("file.path",),
    "User": ("user.name",),
    "md5": ("file.hash.md5",),
    "sha1": ("file.hash.sha1",),
    "sha256": ("file.hash.sha256",),
}

#: names in the vendor's own object that mean the same; asked before NAMES
VENDOR: Final = {
    "answer": ("answers", "dns.answers.rdata", "dns.answers.data", "answers.rdata"),
    "cs-cookie": ("cs(Cookie)",),
    "cs-host": ("cs(Host)",),
    "cs-referer": ("cs(Referer)",),
    "cs-referrer": ("cs(Referer)",),
    "cs-user-agent": ("cs(User-Agent)",),
    "c-useragent": ("cs(User-Agent)",),
    # Zeek's records as Corelight and others ship them: no dots in names
    "certificate.issuer": ("certificate_issuer",),
    "certificate.serial": ("certificate_serial",),
    "certificate.subject": ("certificate_subject",),
    "id.orig_h": ("id_orig_h",),
    "id.orig_p": ("id_orig_p",),
    "id.resp_h": ("id_resp_h",),
    "id.resp_p": ("id_resp_p",),
    # firewalls' names
    "dst_ip": ("id.resp_h", "dest_ip"),
    "dst_port": ("id.resp_p", "dest_port"),
    "src_ip": ("id.orig_h",),
    "src_port": ("id.orig_p",),
}

#: auditd: Sigma's process names -> fields of the records
AUDITD: Final = {
    "CurrentDirectory": "cwd",
    "Image": "exe",
    "ParentProcessId": "ppid",
    "ProcessId": "pid",
}
