/**
 * Schemas that sites use, as defaults for our options; a line in the configuration overrides each. Attribute names and
 * units are those that the products publish. "%u" is the user id, and the whole address where that says more.
 */
import type { QuotaUnit } from "./quota.ts";

export interface Preset {
  readonly filter?: string;
  readonly userAttribute?: string;
  readonly quotaAttribute?: string;
  readonly quotaUnit?: QuotaUnit;
  readonly messagesAttribute?: string;
  readonly statusAttribute?: string;
  readonly statusValues?: string;
  readonly sharedFilter?: string;
  readonly aclAttribute?: string;
}

export const presets: Readonly<Record<string, Preset>> = {
  /** Whatever is called mail. The same mailQuota has four units in the wild, so there is none by default. */
  generic: {
    filter: "(|(mail=%u)(mailAlternateAddress=%u)(mailLocalAddress=%u))",
    userAttribute: "uid",
    quotaAttribute: "mailQuota",
  },

  /** qmail-ldap. "noaccess" may receive mail and may not fetch it. */
  qmail: {
    filter: "(&(objectClass=qmailUser)(|(mail=%u)(mailAlternateAddress=%u)))",
    userAttribute: "uid",
    quotaAttribute: "mailQuotaSize",
    quotaUnit: "b",
    messagesAttribute: "mailQuotaCount",
    statusAttribute: "accountStatus",
    statusValues: "active=ok noaccess=ok disabled=notfound deleted=notfound",
    sharedFilter: "(&(objectClass=qmailGroup)(|(mail=%u)(mailAlternateAddress=%u)))",
  },

  /** inetLocalMailRecipient of OpenLDAP's misc.schema. */
  inetlocal: {
    filter: "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%u))",
    userAttribute: "uid",
  },

  /** Kolab. A shared folder has addresses of its own, and the path that Cyrus knows it by. */
  kolab: {
    filter: "(&(objectClass=kolabInetOrgPerson)(|(mail=%u)(alias=%u))(!(objectClass=nstombstone)))",
    userAttribute: "mail",
    quotaAttribute: "mailQuota",
    quotaUnit: "k",
    sharedFilter:
      "(&(objectClass=kolabSharedFolder)(kolabFolderType=mail)" +
      "(|(mail=%u)(alias=%u)(kolabTargetFolder=%f)(kolabTargetFolder=%f@%d)))",
    aclAttribute: "acl",
  },

  /** iRedMail with OpenLDAP. Aliases and mailing lists merely exist. */
  iredmail: {
    filter:
      "(&(objectClass=mailUser)(|(mail=%u)(shadowAddress=%u))" +
      "(enabledService=mail)(enabledService=deliver)(!(domainStatus=disabled)))",
    userAttribute: "mail",
    quotaAttribute: "mailQuota",
    quotaUnit: "b",
    messagesAttribute: "mailQuotaMessageLimit",
    statusAttribute: "accountStatus",
    statusValues: "active=ok disabled=notfound",
    sharedFilter:
      "(&(|(objectClass=mailAlias)(objectClass=mailList))(|(mail=%u)(shadowAddress=%u))(!(domainStatus=disabled)))",
  },

  /** PostfixBook, as docker-mailserver uses it. */
  postfixbook: {
    filter: "(&(objectClass=PostfixBookMailAccount)(mailEnabled=TRUE)(|(mail=%u)(mailAlias=%u)))",
    userAttribute: "mail",
    quotaAttribute: "mailQuota",
    quotaUnit: "k",
  },

  /** Univention Corporate Server. */
  univention: {
    filter: "(&(!(objectClass=univentionMailSharedFolder))(|(mailPrimaryAddress=%u)(mailAlternativeAddress=%u)))",
    userAttribute: "mailPrimaryAddress",
    quotaAttribute: "univentionMailUserQuota",
    quotaUnit: "m",
    sharedFilter: "(&(objectClass=univentionMailSharedFolder)(|(mailPrimaryAddress=%u)(cn=%f)(cn=%f@%d)))",
    aclAttribute: "univentionMailACL",
  },

  /** FreeIPA and 389 Directory Server. */
  ipa: {
    filter: "(&(objectClass=inetOrgPerson)(|(mail=%u)(mailAlternateAddress=%u))(!(nsAccountLock=TRUE)))",
    userAttribute: "uid",
    quotaAttribute: "mailQuota",
    quotaUnit: "b",
  },

  /** Active Directory: people, groups and contacts. Bit 2 of userAccountControl: the account is disabled. */
  ad: {
    filter:
      "(&(|(objectClass=user)(objectClass=group)(objectClass=contact))(|(mail=%u)(proxyAddresses=smtp:%u))" +
      "(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
    userAttribute: "sAMAccountName",
  },

  /** Only what the configuration says. */
  custom: {},
};
