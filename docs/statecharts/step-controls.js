// Runs in a picture of an example that is opened by itself: its buttons and the arrow keys step through it. In an
// image no script runs, and the picture plays its steps by its style.
const picture = document.documentElement;
const steps = [...picture.querySelectorAll('.step')];
const buttons = [...picture.querySelectorAll('[role="button"]')];
let shown = 0;

const show = (wanted) => {
  shown = Math.min(Math.max(wanted, 0), steps.length - 1);
  for (const [index, step] of steps.entries()) {
    step.classList.toggle('is-shown', index === shown);
    step.setAttribute('aria-hidden', String(index !== shown));
  }
  for (const button of buttons) {
    const next = shown + Number(button.dataset.by);
    button.setAttribute('aria-disabled', String(steps[next] === undefined));
  }
};

for (const button of buttons) {
  const press = () => show(shown + Number(button.dataset.by));
  button.addEventListener('click', press);
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    press();
  });
}
document.addEventListener('keydown', ({ key }) => {
  if (key === 'ArrowLeft') show(shown - 1);
  if (key === 'ArrowRight') show(shown + 1);
});
picture.setAttribute('role', 'group');
picture.classList.add('has-controls');
show(0);
