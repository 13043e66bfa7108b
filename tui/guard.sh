# Gives the terminal back when the app was killed: a process of its own that outlives it. A shell
# starts fast enough to be there before the app draws, and does not delay its first picture.

trap '' TTOU  # the terminal, which is standard output, may belong to others then
read -r _  # until the app is gone

# First the screen as it was before, for what others write from now on; keys are reported as usual
# there. The cursor is saved, which an app that had not drawn yet would send to the top else. Then
# the mouse, pixels, focus, pasting and sizes are reported no more; lines wrap, there is a cursor,
# and colours are the terminal's.
printf '\033[<u\0337\033[?1049l'
printf '\033[?1000;1003;1006;1015;1016l\033[?1004l\033[?2004l\033[?2048l'
printf '\033[?2026l\033[?7h\033[?25h\033[0m\r\nccafl-tui was killed. It touched no run.\r\n'

sleep 0.2  # in which an interactive shell makes the terminal as it wants it
exec <&1
case $(stty -a) in
*-isig*) stty isig icanon echo iexten icrnl ixon ;;
esac
