divert(-1)
dnl	FEATURE(`smmapd', `local:/run/smmapd/smmap')
dnl	FEATURE(`smmapd', `inet:10025@127.0.0.1')
dnl
dnl	Asks smmapd at RCPT TO whether a recipient has a mailbox under quota:
dnl
dnl	unknown, or not to be posted to	550 5.1.1
dnl	over quota			452 4.2.2
dnl	smmapd or its store is down	451 4.3.0
dnl
dnl	The address is followed through virtusertable and mailertable first, as at delivery, and smmapd is asked about the
dnl	address for the mailer of the mailboxes. Entries of aliases(5) are accepted. So is each recipient in a domain with LDAP routing:
dnl	FEATURE(ldap_routing) can refuse unknown ones itself. The second argument names the mailers if they are not cyrusv2
dnl	or cyrus; the third and the fourth are class and file of the map of aliases if ALIAS_FILE is not one plain file name:
dnl
dnl	FEATURE(`smmapd', `local:/run/smmapd/smmap', `cyrusv2d', `hash', `/etc/mail/aliases')
dnl
dnl	Put this file into feature/ of sendmail's cf tree (Debian: /usr/share/sendmail/cf/feature), and the FEATURE
dnl	after define(`ALIAS_FILE') and before any MAILER and LOCAL_ section in sendmail.mc. In an inet: address write a host
dnl	name or a bare IPv4 address: sendmail 8.17 never connects to one in brackets. Left and right side of a rule are
dnl	separated by tabs.
ifelse(len(X`'_ARG_), `1', `errprint(`*** ERROR: FEATURE(smmapd) takes the socket, such as local:/run/smmapd/smmap
')')
ifelse(_ARG4_, `', `ifdef(`ALIAS_FILE', `ifelse(regexp(ALIAS_FILE, `[:,]'), `-1', `',
`errprint(`*** ERROR: FEATURE(smmapd) takes class and file of the map of aliases as its third and fourth argument, such as hash and /etc/mail/aliases
')')')')
divert(0)
VERSIONID(`smmapd')
LOCAL_CONFIG
# The map of mailboxes. -T is required: without it a temporary failure is "User unknown". With -o, a daemon that is down
# would be "User unknown", too. -f keeps the case of the part after the plus, -m takes no value from the reply, and -d is
# the timeout in seconds.
Kcyrus socket -d10 -m -f -a<OK> -T<TMPF> _ARG_
# Accepted without a request.
C{SmmapExempt} postmaster abuse mailer-daemon
# The mailers that deliver to the mailboxes.
C{SmmapMailer} ifelse(_ARG2_, `', `cyrusv2', `_ARG2_')
Ksmmapd_note macro -q
# -m takes no value: a long list would be a syntax error. Without -T, an alias would be "User unknown" while its file cannot
# be read.
Ksmmapd_aliases ifelse(_ARG3_, `', `implicit', `_ARG3_') -m -T<TMPF> ifelse(_ARG4_, `', `ifdef(`ALIAS_FILE', `ALIAS_FILE', `MAIL_SETTINGS_DIR`'aliases')', `_ARG4_')

LOCAL_RULE_0
# Notes each address that a recipient turns into, such as by virtusertable.
R$+			$: $(smmapd_note {smmapd_user} $@ $1 $) $(smmapd_note {smmapd_address} $@ $1 $) $1
R$+ < @ $+ . >		$: $(smmapd_note {smmapd_user} $@ $1 $) $(smmapd_note {smmapd_address} $@ $1 @ $2 $) $1 < @ $2 . >

LOCAL_RULESETS
SLocal_check_rcpt
R$*			$: $>canonify $1
R$={SmmapExempt}	$@ OK
R$={SmmapExempt} < @ $* >	$@ OK
# Only what a mailer for mailboxes gets, and only if it gets the address that was noted last, can be a mailbox.
R$*			$: $(smmapd_note {smmapd_user} $@ NONE $) $1
R$*			$: $1 $| $>parse $1
R$* $| $# $={SmmapMailer} $* $&{smmapd_user}	$: <?> $&{smmapd_address}
R$* $| $# $={SmmapMailer} $* $&{smmapd_user} < @ $* >	$: <?> $&{smmapd_address}
R$* $| $# $={SmmapMailer} $* $&{smmapd_user} @ $*	$: <?> $&{smmapd_address}
R$* $| $*		$@ OK
# LDAP routing changes addresses without a note.
R<?> $+ @ $={LDAPRoute}	$@ OK
R<?> $+ @ $={LDAPRouteEquiv}	$@ OK
# Entries of aliases(5) are not mailboxes either.
R<?> $+			$: $1 $| $(smmapd_aliases $1 $: <?> $)
R$+ $| $* <TMPF>	$#error $@ 4.3.0 $: "451 Alias lookup unavailable, try again later"
R$+ @ $+ $| <?>		$: $1 @ $2 $| $(smmapd_aliases $1 $: <?> $)
R$+ $| $* <TMPF>	$#error $@ 4.3.0 $: "451 Alias lookup unavailable, try again later"
R$+ $| <?>		$: <?> $(cyrus $1 $: <NONE> $)
R$+ $| $*		$@ OK
R<?> <NONE>		$#error $@ 5.1.1 $: "550 User unknown"
R<?> $+ <OK>		$@ OK
# Over quota and an outage look the same here. A name that does not exist tells them apart: smmapd answers NOTFOUND for it
# only while its store works.
R<?> $+ <TMPF>		$: <probe> $(cyrus smmapd-probe $: <NONE> $)
R<probe> $+ <TMPF>	$#error $@ 4.3.0 $: "451 Mailbox lookup unavailable, try again later"
R<probe> $*		$#error $@ 4.2.2 $: "452 Mailbox full"
divert(-1)
