"""When are two spellings one login? When they are equal once capital letters are folded.

Capital letters are folded one by one, and only where the way back is unambiguous. So ``JDoe`` is
``jdoe`` and ``ÜBER`` is ``über``, but ``straße`` is not ``strasse``, ``İ`` is not ``i`` and the
Kelvin sign is not ``k``; blanks, accents and the form of normalisation always count. The servers
are more generous, each in its own way, which is why they only preselect (design 1.1).
"""


def fold(text: str) -> str:
    """The spelling by which logins are compared where case does not count.

    No two spellings that differ in more than the case of letters have the same fold, and a
    fold is as long as its spelling. Folding twice changes nothing.
    """
    return text.lower() if text.isascii() else "".join(map(_fold_letter, text))


def _fold_letter(letter: str) -> str:
    small = letter.lower()
    return small if small.upper() == letter else letter
