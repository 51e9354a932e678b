"""The pages' own texts in English and Chinese; a study may change any of them."""

from __future__ import annotations

import dataclasses
import string


@dataclasses.dataclass(frozen=True)
class Words:
    """Texts of the pages; names in braces are filled in."""

    agree: str = "I have read this and want to take part"  # beside the box that must be ticked
    begin: str = "Begin"  # button under the consent text
    again: str = "Have you already started?"  # heading of the form for the code
    code: str = "Your code"  # label of its field
    go_on: str = "Continue"  # its button
    wrong_code: str = "There is no such code. Please check each letter."  # after a mistyped code
    busy: str = "Too many requests. Please wait a minute and try again."  # after many of them
    # when it is full
    closed: str = "This study accepts no more participants. Thank you for your interest."
    # of a rater
    keep_code: str = "Every answer is saved at once. To continue later or on another device, note your code:"
    instructions: str = "Instructions"  # heading
    start: str = "Start"  # button under the instructions
    practice: str = "Practice"  # above a practice trial
    practice_over: str = "The practice is over. From now on your answers count."  # after the last one
    progress: str = "{done} of {total}"  # above a trial
    question: str = "Attention check"  # above a trial without a picture
    attention: str = "To show that you are reading, please choose: {answer}"  # asked there
    next: str = "Next"  # button under a trial
    required: str = "Please answer every question."  # if one is open
    keys: str = "Keys: numbers select, arrows move, Enter continues."  # where there is a keyboard
    saving: str = "Saving …"  # while the answer is sent
    retry: str = "Not saved yet: the server does not respond. Trying again …"  # while it does not respond
    not_shown: str = "The picture has not loaded yet. Trying again …"  # while a picture loads
    pause: str = "Time for a break"  # heading
    pause_text: str = "{done} of {total} done. Rest your eyes, and continue when you like."  # in a break
    thanks: str = "Thank you!"  # heading of the last page
    over: str = "All your answers are saved. You may close this page."  # on it
    leave: str = "Next person"  # button that forgets the rater on this computer
    script: str = "This page needs JavaScript. Please enable it and reload the page."  # where it is off
    picture: str = "Picture to rate"  # for screen readers
    enlarge: str = "Enlarge"  # button under a picture that is small on the screen
    close: str = "Close"  # button of the enlarged picture


CHINESE = Words(
    agree="我已阅读以上内容，同意参加",
    begin="开始",
    again="之前已经开始过？",
    code="您的代码",
    go_on="继续",
    wrong_code="没有这个代码，请逐个字母检查。",
    busy="请求过多，请稍等一分钟再试。",
    closed="本研究已不再接受新的参与者，感谢您的关注。",
    keep_code="您的每个回答都会立即保存。如需以后（或在其他设备上）继续，请记下您的代码：",
    instructions="说明",
    start="开始",
    practice="练习",
    practice_over="练习结束。从现在起，您的回答将被正式记录。",
    progress="第 {done} / {total} 题",
    question="注意力检查",
    attention="为确认您在认真阅读，请选择：{answer}",
    next="下一题",
    required="请回答每一个问题。",
    keys="键盘：数字键选择，方向键移动，回车键继续。",
    saving="正在保存……",
    retry="尚未保存：服务器没有回应，正在重试……",
    not_shown="图片尚未加载，正在重试……",
    pause="休息一下",
    pause_text="您已完成 {done} / {total}。请放松眼睛，准备好后继续。",
    thanks="谢谢您！",
    over="您的所有回答均已保存，可以关闭本页。",
    leave="下一位参与者",
    script="本页面需要 JavaScript，请启用后重新加载。",
    picture="待评分的图片",
    enlarge="放大",
    close="关闭",
)

LANGUAGES = {"en": Words(), "zh": CHINESE}


def blanks(text: str) -> set[str]:
    """Names in braces.

    Raises:
        ValueError: unbalanced braces.
    """
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
