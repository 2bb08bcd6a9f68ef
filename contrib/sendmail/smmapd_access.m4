divert(-1)
dnl	FEATURE(`smmapd_access', `local:/run/smmapd/smmap')
dnl	FEATURE(`smmapd_access', `inet:10025@127.0.0.1')
dnl
dnl	As FEATURE(`smmapd'), and tells each reason by its own reply, also with lmtp_over_quota_perm_failure. It takes
dnl	this line in imapd.conf, which the original smmapd does not know:
dnl
dnl		smmap_access_map: smmapd_access
dnl
dnl	unknown				550 5.1.1
dnl	not to be posted to		550 5.7.1
dnl	over quota			452 4.2.2 or 552 5.2.2
dnl	smmapd or its store is down	451 4.3.0
dnl
dnl	Put this file into feature/ of sendmail's cf tree (Debian: /usr/share/sendmail/cf/feature), and the FEATURE
dnl	before any MAILER in sendmail.mc. In an inet: address write a host name or a bare IPv4 address: sendmail 8.17
dnl	never connects to one in brackets. Left and right side of a rule are separated by tabs.
ifelse(len(X`'_ARG_), `1', `errprint(`*** ERROR: FEATURE(smmapd_access) takes the socket, such as local:/run/smmapd/smmap
')')
divert(0)
VERSIONID(`smmapd_access')
LOCAL_CONFIG
# The mailboxes, as smmapd knows them. -f keeps the case of what follows the plus, -T marks a temporary failure, and -d is
# how many seconds to wait for the reply.
Ksmmapd_access socket -d10 -f -T<TMPF> _ARG_
# Accepted unasked.
C{SmmapExempt} postmaster abuse mailer-daemon

LOCAL_RULESETS
SLocal_check_rcpt
R$*			$: $>canonify $1
R$={SmmapExempt} < @ $* >	$@ OK
R$+ < @ $=w . >		$: <?> $(smmapd_access $1@$2 $: <NONE> $)
R<?> DUNNO		$@ OK
R<?> 550 5 . 1 . 1 $*	$#error $@ 5.1.1 $: "550 User unknown"
R<?> 550 5 . 7 . 1 $*	$#error $@ 5.7.1 $: "550 Posting to this mailbox is not permitted"
R<?> 452 $*		$#error $@ 4.2.2 $: "452 Mailbox full"
R<?> 552 $*		$#error $@ 5.2.2 $: "552 Mailbox full"
R<?> $*			$#error $@ 4.3.0 $: "451 Mailbox lookup unavailable, try again later"
divert(-1)
