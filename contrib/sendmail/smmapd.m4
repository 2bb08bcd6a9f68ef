divert(-1)
dnl	FEATURE(`smmapd', `local:/run/smmapd/smmap')
dnl	FEATURE(`smmapd', `inet:10025@127.0.0.1')
dnl
dnl	Asks smmapd at RCPT TO whether a recipient in a local domain (class w) has a mailbox and room in it:
dnl
dnl	unknown, or not to be posted to	550 5.1.1
dnl	over quota			452 4.2.2
dnl	smmapd or its store is down	451 4.3.0
dnl
dnl	Put this file into feature/ of sendmail's cf tree (Debian: /usr/share/sendmail/cf/feature), and the FEATURE
dnl	before any MAILER in sendmail.mc. In an inet: address write a host name or a bare IPv4 address: sendmail 8.17
dnl	never connects to one in brackets. Left and right side of a rule are separated by tabs.
ifelse(len(X`'_ARG_), `1', `errprint(`*** ERROR: FEATURE(smmapd) takes the socket, such as local:/run/smmapd/smmap
')')
divert(0)
VERSIONID(`smmapd')
LOCAL_CONFIG
# The mailboxes, as smmapd knows them. -T is vital: without it a temporary failure is "User unknown". With -o, a daemon
# that is down would be "User unknown", too. -f keeps the case of what follows the plus, -m takes no value from the
# reply, and -d is how many seconds to wait for it.
Kcyrus socket -d10 -m -f -a<OK> -T<TMPF> _ARG_
# Accepted unasked.
C{SmmapExempt} postmaster abuse mailer-daemon

LOCAL_RULESETS
SLocal_check_rcpt
R$*			$: $>canonify $1
R$={SmmapExempt} < @ $* >	$@ OK
R$+ < @ $=w . >		$: <?> $(cyrus $1@$2 $: <NONE> $)
R<?> <NONE>		$#error $@ 5.1.1 $: "550 User unknown"
R<?> $+ <OK>		$@ OK
# Over quota and out of order look the same from here. A name that nobody has tells them apart: smmapd knows that it is
# nobody, as long as its store works.
R<?> $+ <TMPF>		$: <probe> $(cyrus smmapd-probe $: <NONE> $)
R<probe> $+ <TMPF>	$#error $@ 4.3.0 $: "451 Mailbox lookup unavailable, try again later"
R<probe> $*		$#error $@ 4.2.2 $: "452 Mailbox full"
divert(-1)
