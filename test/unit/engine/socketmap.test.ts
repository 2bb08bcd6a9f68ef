import { expect, it } from "vitest";
import { parseRequest } from "../../../src/engine/socketmap.ts";

it.each([
  ["cyrus fred", "cyrus", "fred"],
  ["cyrus fred@dom.test", "cyrus", "fred@dom.test"],
  // Any name of a map, also none.
  ["x fred", "x", "fred"],
  [" fred", "", "fred"],
  ["\xff\xfe fred", "\xff\xfe", "fred"],
  // The key starts after the first space and is not trimmed.
  ["cyrus ", "cyrus", ""],
  [" ", "", ""],
  ["cyrus  fred", "cyrus", " fred"],
  ["cyrus fred ", "cyrus", "fred "],
  ["cyrus a b c", "cyrus", "a b c"],
  ["cyrus fred\r\n", "cyrus", "fred\r\n"],
  ["cyrus\tfred x", "cyrus\tfred", "x"],
  ["cyrus fr\xe9d", "cyrus", "fr\xe9d"],
  // A NUL ends the text.
  ["cyrus fred\0", "cyrus", "fred"],
  ["cyrus fred\0tail", "cyrus", "fred"],
  ["cyrus \0fred", "cyrus", ""],
])("%j is a request to map %j with key %j", (payload, map, key) => {
  expect(parseRequest(payload)).toEqual({ map, key });
});

it.each(["", "cyrus", "\0", "cyrus\0 fred", "\0cyrus fred", "cyrus\tfred"])("%j has no key", (payload) => {
  expect(parseRequest(payload)).toBeNull();
});
