test('the state is read', () => {
  if (status >= 300) throw new Error(`${status} ${told(value)}`);
});
