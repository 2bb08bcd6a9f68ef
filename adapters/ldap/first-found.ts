/**
 * Resolves with the first value that is not null, as soon as it is available, or with null if all are null. Rejects
 * with the first error if some reject and none has a value.
 */
export function firstFound<T>(promises: readonly Promise<T | null>[]): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const errors: unknown[] = [];
    const settled = promises.map((promise) =>
      promise.then(
        (value) => {
          if (value !== null) resolve(value);
        },
        (error: unknown) => {
          errors.push(error);
        },
      ),
    );
    void Promise.all(settled).then(() => {
      if (errors.length > 0) reject(errors[0]);
      else resolve(null);
    });
  });
}
