test('the cancel is accepted', () => {
  if (!response || status >= 300 || denied(value)) throw new Error(`${status} ${told(value)}`);
});
