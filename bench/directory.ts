/** A directory with the mailboxes of population.ts, in a throw-away slapd. */
import { Slapd } from "../fixtures/servers/slapd.ts";
import { DOMAIN, userAt } from "./population.ts";
import type { Conf } from "./servers.ts";

const SUFFIX = "dc=test";
const LIMIT = 1_000_000;

/** @param users how many there are */
export function startDirectory(users: number): Promise<Slapd> {
  return Slapd.start({
    suffix: SUFFIX,
    ldif: ldif(users),
    indexes: ["mail eq"],
    databaseLines: ["access to * by * read"],
  });
}

/** imapd.conf for it. */
export function directoryConf(slapd: Slapd): Conf {
  return {
    smmap_store: "ldap",
    ldap_uri: slapd.uri,
    ldap_base: SUFFIX,
    ldap_filter: "(mail=%u)",
    smmap_ldap_preset: "custom",
    smmap_ldap_quota_attribute: "employeeType",
    smmap_ldap_usage_attribute: "employeeNumber",
    smmap_ldap_quota_unit: "b",
  };
}

function ldif(users: number): string {
  const head = `dn: ${SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n`;
  const entries = Array.from({ length: users }, (_, index) => {
    const { name, isOverQuota } = userAt(index);
    return [
      `dn: uid=${name},${SUFFIX}`,
      "objectClass: inetOrgPerson",
      `uid: ${name}`,
      `cn: ${name}`,
      "sn: test",
      `mail: ${name}@${DOMAIN}`,
      `employeeNumber: ${isOverQuota ? LIMIT + 1 : 1000}`,
      `employeeType: ${LIMIT}`,
      "",
    ].join("\n");
  });
  return [head, ...entries].join("\n");
}
