/**
 * Widely used schemas as defaults of the options; the configuration overrides each of them. Attribute names and units
 * are those that the products publish. "%u" is the user id; without a domain in it, the whole address is tried as well.
 */
export const presets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  /** Common address attributes. Sites use mailQuota with four different units, so there is no default unit. */
  generic: {
    ldap_filter: "(|(mail=%u)(mailAlternateAddress=%u)(mailLocalAddress=%u))",
    ldap_user_attribute: "uid",
    smmap_ldap_quota_attribute: "mailQuota",
  },

  /** qmail-ldap. An account with "noaccess" receives mail and cannot log in. */
  qmail: {
    ldap_filter: "(&(objectClass=qmailUser)(|(mail=%u)(mailAlternateAddress=%u)))",
    ldap_user_attribute: "uid",
    smmap_ldap_quota_attribute: "mailQuotaSize",
    smmap_ldap_quota_unit: "b",
    smmap_ldap_messages_attribute: "mailQuotaCount",
    smmap_ldap_status_attribute: "accountStatus",
    smmap_ldap_status_values: "active=ok noaccess=ok disabled=notfound deleted=notfound",
    smmap_ldap_shared_filter: "(&(objectClass=qmailGroup)(|(mail=%u)(mailAlternateAddress=%u)))",
  },

  /** inetLocalMailRecipient of OpenLDAP's misc.schema. */
  inetlocal: {
    ldap_filter: "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%u))",
    ldap_user_attribute: "uid",
  },

  /** Kolab. A shared folder has its own addresses and the path of its mailbox in Cyrus. */
  kolab: {
    ldap_filter: "(&(objectClass=kolabInetOrgPerson)(|(mail=%u)(alias=%u))(!(objectClass=nstombstone)))",
    ldap_user_attribute: "mail",
    smmap_ldap_quota_attribute: "mailQuota",
    smmap_ldap_quota_unit: "k",
    smmap_ldap_shared_filter:
      "(&(objectClass=kolabSharedFolder)(kolabFolderType=mail)" +
      "(|(mail=%u)(alias=%u)(kolabTargetFolder=%f)(kolabTargetFolder=%f@%d)))",
    smmap_ldap_acl_attribute: "acl",
  },

  /** iRedMail with OpenLDAP. For aliases and mailing lists only existence is checked. */
  iredmail: {
    ldap_filter:
      "(&(objectClass=mailUser)(|(mail=%u)(shadowAddress=%u))" +
      "(enabledService=mail)(enabledService=deliver)(!(domainStatus=disabled)))",
    ldap_user_attribute: "mail",
    smmap_ldap_quota_attribute: "mailQuota",
    smmap_ldap_quota_unit: "b",
    smmap_ldap_messages_attribute: "mailQuotaMessageLimit",
    smmap_ldap_status_attribute: "accountStatus",
    smmap_ldap_status_values: "active=ok disabled=notfound",
    smmap_ldap_shared_filter:
      "(&(|(objectClass=mailAlias)(objectClass=mailList))(|(mail=%u)(shadowAddress=%u))(!(domainStatus=disabled)))",
  },

  /** PostfixBook, as docker-mailserver uses it. */
  postfixbook: {
    ldap_filter: "(&(objectClass=PostfixBookMailAccount)(mailEnabled=TRUE)(|(mail=%u)(mailAlias=%u)))",
    ldap_user_attribute: "mail",
    smmap_ldap_quota_attribute: "mailQuota",
    smmap_ldap_quota_unit: "k",
  },

  /** Univention Corporate Server. */
  univention: {
    ldap_filter: "(&(!(objectClass=univentionMailSharedFolder))(|(mailPrimaryAddress=%u)(mailAlternativeAddress=%u)))",
    ldap_user_attribute: "mailPrimaryAddress",
    smmap_ldap_quota_attribute: "univentionMailUserQuota",
    smmap_ldap_quota_unit: "m",
    smmap_ldap_shared_filter: "(&(objectClass=univentionMailSharedFolder)(|(mailPrimaryAddress=%u)(cn=%f)(cn=%f@%d)))",
    smmap_ldap_acl_attribute: "univentionMailACL",
  },

  /** FreeIPA and 389 Directory Server. */
  ipa: {
    ldap_filter: "(&(objectClass=inetOrgPerson)(|(mail=%u)(mailAlternateAddress=%u))(!(nsAccountLock=TRUE)))",
    ldap_user_attribute: "uid",
    smmap_ldap_quota_attribute: "mailQuota",
    smmap_ldap_quota_unit: "b",
  },

  /**
   * Active Directory: users, groups, contacts, Exchange's dynamic lists and mail-enabled public folders. Value 2 in
   * userAccountControl is a disabled account, which Exchange requires for shared and similar mailboxes.
   */
  ad: {
    ldap_filter:
      "(&(|(objectClass=user)(objectClass=group)(objectClass=contact)" +
      "(objectClass=msExchDynamicDistributionList)(objectClass=publicFolder))" +
      "(|(mail=%u)(proxyAddresses=smtp:%u))" +
      `(|(!(userAccountControl:1.2.840.113556.1.4.803:=2))${mailboxesOfDisabledAccounts()}))`,
    ldap_user_attribute: "sAMAccountName",
  },

  /** No defaults. */
  custom: {},
};

/**
 * Values of msExchRecipientTypeDetails whose mailboxes belong to disabled accounts: linked, shared, room, equipment and
 * site mailboxes, and those of rooms, equipment and teams in Exchange Online.
 */
function mailboxesOfDisabledAccounts(): string {
  const onPremises = [2, 4, 16, 32, 2 ** 37];
  const online = [2 ** 33, 2 ** 34, 2 ** 35];
  return [...onPremises, ...online].map((type) => `(msExchRecipientTypeDetails=${type})`).join("");
}
